/* config_file.c - sagad.yaml, read as the sidecar reads it. */
#include "client-lib/sagactl/config_file.h"

#include "sidecar/config/config.h"

int config_file_load(struct run *r, struct config_file *f)
{
    struct error_detail detail;
    char line[1024];
    *f = (struct config_file){.limits = definition_limits_default()};
    if (r->o.config == NULL)
        return EXIT_DONE;
    int code = config_read(r->o.config, &f->config, &detail);
    if (code != 0) {
        config_describe_error(r->o.config, code, &detail, line, sizeof line);
        return run_say(r, EXIT_USAGE, "%s", line);
    }
    f->limits = config_definition_limits(f->config);
    f->participants = f->config->participants;
    return EXIT_DONE;
}

void config_file_finish(struct config_file *f)
{
    config_destroy(f->config);
}
