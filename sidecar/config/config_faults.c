/* config_faults.c - the option faults: what is done to calls on purpose, from the start on. */
#include "sidecar/config/config_faults.h"

#include "sidecar/config/config_inside.h"
#include "sidecar/base/nearest.h"

static const char *const keys[] = {"kind",  "target", "definition", "tag",   "tag_value",
                                   "calls", "status", "percent",    "delay", "for"};
static const char *const kinds[] = {"delay", "abort", "drop-request", "drop-answer", "duplicate", "reorder"};
static const char *const calls[] = {"all", "actions", "compensations"};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define KIND_DELAY   1
#define KIND_ABORT   2
#define KIND_REORDER 6
#define LASTS_MAX    SPAN_S(3600)

static int read_text(const struct yaml_node *n, const char *name, size_t max, const char **text,
                     struct error_detail *detail)
{
    const struct yaml_node *value = yaml_node_child(n, name);
    struct bytes bytes;
    *text = "";
    int code = value == NULL ? 0 : yaml_read_text(value, 1, max, &bytes, detail);
    if (code == 0 && value != NULL)
        *text = (const char *)bytes.at;
    return code;
}

static int read_status(const struct yaml_node *n, struct config_fault *f, struct error_detail *detail)
{
    const struct yaml_node *status = yaml_node_child(n, "status");
    bool aborts = f->kind == KIND_ABORT;
    if (aborts != (status != NULL))
        return aborts ? yaml_refuse(n, E_ARGUMENT, detail, "aborts with a status; say which, as in UNAVAILABLE")
                      : yaml_refuse_key(status, E_ARGUMENT, detail, "is of abort alone");
    int number = status == NULL || status->kind != YAML_SCALAR ? -1 : grpc_status_parse((const char *)status->text.at);
    if (aborts && number <= 0)
        return yaml_refuse(status, E_ARGUMENT, detail, "is no gRPC status other than OK, as in UNAVAILABLE");
    f->status = aborts ? (uint8_t)number : 0;
    return 0;
}

static int read_times(const struct yaml_node *n, struct config_fault *f, struct error_detail *detail)
{
    const struct yaml_node *delay = yaml_node_child(n, "delay"), *lasts;
    bool delays = f->kind == KIND_DELAY || f->kind == KIND_REORDER;
    int code = yaml_need(n, "for", &lasts, detail);
    if (code == 0)
        code = yaml_read_span(lasts, SPAN_MS(1), LASTS_MAX, &f->lasts, detail);
    if (code != 0)
        return code;
    if (delays != (delay != NULL))
        return delays ? yaml_refuse(n, E_ARGUMENT, detail, "needs delay: how much later the call leaves, as in 200ms")
                      : yaml_refuse_key(delay, E_ARGUMENT, detail, "is of delay and reorder alone");
    return delay == NULL ? 0 : yaml_read_span(delay, SPAN_MS(1), LASTS_MAX, &f->delay, detail);
}

int config_read_fault(const struct yaml_node *n, struct config_fault *f, struct error_detail *detail)
{
    const struct yaml_node *kind, *percent = yaml_node_child(n, "percent"), *about = yaml_node_child(n, "calls");
    uint32_t choice = 0, thousandths = 100000;
    *f = (struct config_fault){.permille = 1000};
    int code = yaml_check_mapping(n, keys, COUNT(keys), detail);
    if (code == 0)
        code = yaml_need(n, "kind", &kind, detail);
    if (code == 0)
        code = yaml_read_choice(kind, kinds, COUNT(kinds), &choice, detail);
    f->kind = (uint8_t)(choice + 1);
    if (code == 0)
        code = read_text(n, "target", STEP_NAME_BYTES_MAX, &f->target, detail);
    if (code == 0)
        code = read_text(n, "definition", NAME_BYTES_MAX, &f->definition, detail);
    if (code == 0)
        code = read_text(n, "tag", STEP_NAME_BYTES_MAX, &f->tag, detail);
    if (code == 0)
        code = read_text(n, "tag_value", 256, &f->tag_value, detail);
    if (code == 0 && f->tag[0] == '\0' && f->tag_value[0] != '\0')
        code = yaml_refuse_key(yaml_node_child(n, "tag_value"), E_ARGUMENT, detail,
                               "goes with tag, which it is the value of");
    choice = 0;
    if (code == 0 && about != NULL)
        code = yaml_read_choice(about, calls, COUNT(calls), &choice, detail);
    f->calls = (uint8_t)choice;
    if (code == 0 && percent != NULL)
        code = yaml_read_permille(percent, 100, 100000, &thousandths, detail);
    f->permille = thousandths / 100;
    if (code == 0)
        code = read_status(n, f, detail);
    return code != 0 ? code : read_times(n, f, detail);
}

/* ---- the option ---- */

static int check_target(const struct config_reader *r, const struct yaml_node *n, const struct config_fault *f)
{
    const struct config *c = r->config;
    const char **names = yaml_tree_take(r->tree, (c->target_count + 1) * sizeof *names);
    if (names == NULL)
        return error_set(r->detail, E_MEMORY, NULL, NULL);
    for (size_t i = 0; i < c->target_count; i++) {
        names[i] = c->targets[i].name;
        if (strcmp(names[i], f->target) == 0)
            return 0;
    }
    const char *near = nearest_name(bytes_of_text(f->target), names, c->target_count);
    return yaml_refuse(yaml_node_child(n, "target"), E_ARGUMENT, r->detail, "is no target%s%s%s",
                       near == NULL ? "" : "; did you mean ", near == NULL ? "" : near, near == NULL ? "" : "?");
}

int config_read_faults(const struct config_reader *r)
{
    const struct yaml_node *list = r->nodes[OPTION_INDEX_faults];
    const struct option *o = &config_options[OPTION_INDEX_faults];
    if (list == NULL)
        return 0;
    int code = yaml_check_sequence(list, r->detail);
    if (code != 0)
        return code;
    if ((int64_t)list->count > o->max)
        return yaml_refuse(list, E_ARGUMENT, r->detail, "holds %u entries; it must be from %lld to %lld", list->count,
                           (long long)o->min, (long long)o->max);
    if (list->count > 0 && !r->config->fault_injection)
        return yaml_refuse_key(list, E_ARGUMENT, r->detail,
                               "are injected only where fault_injection: true stands as well");
    struct config_fault *faults = yaml_tree_take(r->tree, (list->count + 1) * sizeof *faults);
    if (faults == NULL)
        return error_set(r->detail, E_MEMORY, NULL, NULL);
    for (const struct yaml_node *n = list->first; code == 0 && n != NULL; n = n->next) {
        struct config_fault *f = &faults[n->index];
        code = config_read_fault(n, f, r->detail);
        if (code == 0 && f->target[0] != '\0')
            code = check_target(r, n, f);
    }
    r->config->faults = faults;
    r->config->fault_count = list->count;
    return code;
}
