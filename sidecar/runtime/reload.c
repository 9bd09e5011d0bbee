/* reload.c - the configuration read anew, compared with the one that runs, and what of it can be taken. */
#include "sidecar/runtime/reload.h"

#include "sidecar/config/config_same.h"
#include "sidecar/observe/log.h"

void reload(const struct config *running, const char *file)
{
    static const char *const levels[] = {"error", "warn", "info", "debug"};
    struct config *fresh;
    char line[512];
    struct error_detail detail;
    int code = config_read(file, &fresh, &detail);
    if (code != 0) {
        config_describe_error(file, code, &detail, line, sizeof line);
        log_event(LOG_LEVEL_ERROR, "the configuration is wrong, so nothing of it was taken",
                  LOG_TEXT("reason", error_row(code)->reason), LOG_TEXT("text", line));
        return;
    }
    /* Said at the more talkative of both levels. */
    if (!log_wants((enum log_level)fresh->log_level))
        log_set_level((enum log_level)fresh->log_level);
    for (int i = 0; i < OPTION_INDEX_COUNT; i++)
        if (i != OPTION_INDEX_log_level && !config_same(running, fresh, (enum option_index)i))
            log_event(LOG_LEVEL_WARN, "an option has changed that takes effect at the next start",
                      LOG_TEXT("option", config_options[i].name));
    log_event(LOG_LEVEL_INFO, "the configuration was read again", LOG_TEXT("log_level", levels[fresh->log_level]));
    log_set_level((enum log_level)fresh->log_level);
    config_destroy(fresh);
}
