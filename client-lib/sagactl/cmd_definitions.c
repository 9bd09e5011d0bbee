/* cmd_definitions.c - register, definitions. */
#include "client-lib/sagactl/contracts.h"
#include "client-lib/sagactl/findings.h"
#include "client-lib/sagactl/json.h"
#include "client-lib/sagactl/reflect.h"
#include "client-lib/sagactl/run.h"
#include "client-lib/sagactl/show.h"
#include "sidecar/definition/reader.h"

#include <stdlib.h>
#include <string.h>

/* ---- what is wrong with a file ---- */

/* "checkout.yaml:12:5: steps[1].retry: ..." as compilers say it, so that editors find the place. */
static int say_place(struct run *r, const char *path, int code, const struct error_detail *d)
{
    char clean_path[1024], clean_text[1024], clean_field[512];
    const char *text = d->text[0] != '\0' ? d->text : error_row(code)->text;
    if (r->o.json) {
        json_t *place = json_pack("{s{sssosisisoso}}", "error", "reason", error_row(code)->reason, "file",
                                  json_of_text(findings_path(path)), "line", d->line, "column", d->column, "field",
                                  json_of_text(d->field), "message", json_of_text(text));
        json_put(r->err, place, true);
        return EXIT_REFUSED;
    }
    fputs(screen_clean(&r->screen, findings_path(path), clean_path, sizeof clean_path), r->err);
    if (d->line > 0)
        fprintf(r->err, ":%d:%d", d->line, d->column);
    screen_clean(&r->screen, d->field, clean_field, sizeof clean_field);
    screen_clean(&r->screen, text, clean_text, sizeof clean_text);
    fprintf(r->err, ": %s%s%s\n", clean_field, clean_field[0] != '\0' ? ": " : "", clean_text);
    return EXIT_REFUSED;
}

/* Checks a definition here, but for the bounds, which are the sidecar's. Gives *d on EXIT_DONE. */
static int lint(struct run *r, const char *path, const char *text, size_t size, struct definition **d)
{
    struct definition_limits limits = contracts_limits((struct definition_schemas){.find = NULL});
    struct error_detail detail;
    int code = definition_read(bytes_of(text, size), &limits, d, &detail);
    return code == 0 ? EXIT_DONE : say_place(r, path, code, &detail);
}

/* ---- register ---- */

struct file {
    const char *path;
    char *text;
    size_t size;
};

/* An error of the sidecar about a file: its name comes first, as with those found here. */
static int refused(struct run *r, const char *path, const struct saga_error *error)
{
    struct saga_error about = *error;
    if (error->code != SAGA_E_UNAVAILABLE)
        snprintf(about.message, sizeof about.message, "%.100s: %.*s", findings_path(path),
                 (int)sizeof about.message - 110, error->message);
    return run_failed(r, &about);
}

static void put_registered(struct run *r, const Saga__V1__RegisterDefinitionResponse *answer)
{
    char name[512], version[256];
    const char *what = r->o.dry_run ? (answer->already_registered ? "is registered already" : "would be registered")
                                    : (answer->already_registered ? "was registered already" : "registered");
    fprintf(r->screen.out, "%s %s %s\n", screen_clean(&r->screen, answer->name, name, sizeof name),
            screen_clean(&r->screen, answer->version, version, sizeof version), what);
}

/* What is likely to be wrong, on standard error. */
static void put_findings(struct run *r, const char *path, const Saga__V1__RegisterDefinitionResponse *answer)
{
    char clean_path[1024], field[512], text[1024], rule[128];
    screen_clean(&r->screen, findings_path(path), clean_path, sizeof clean_path);
    for (size_t i = 0; i < answer->n_findings; i++) {
        const Saga__V1__Finding *f = answer->findings[i];
        char place[32] = ""; /* a policy's rule knows none */
        if (f->line > 0)
            snprintf(place, sizeof place, ":%d:%d", (int)f->line, (int)f->column);
        screen_clean(&r->screen, f->field, field, sizeof field);
        if (f->warning)
            fprintf(r->err, "%s%s: warning: %s%s%s [%s]\n", clean_path, place, field, field[0] != '\0' ? ": " : "",
                    screen_clean(&r->screen, f->message, text, sizeof text),
                    screen_clean(&r->screen, f->rule, rule, sizeof rule));
    }
}

/* A definition that is only tried is told about when it is wrong. */
enum sending { SEND_TO_TRY, SEND };

static int send_definition(struct run *r, const struct file *file, enum sending sending)
{
    Saga__V1__RegisterDefinitionRequest request = SAGA__V1__REGISTER_DEFINITION_REQUEST__INIT;
    Saga__V1__RegisterDefinitionResponse *answer;
    struct saga_error error;
    request.source = (ProtobufCBinaryData){.data = (uint8_t *)file->text, .len = file->size};
    request.dry_run = r->o.dry_run || sending == SEND_TO_TRY;
    int status = run_connect(r);
    if (status != EXIT_DONE)
        return status;
    int64_t deadline = r->o.timeout_ms >= 0 ? r->deadline : wire_deadline(RUN_TIMEOUT_DEFAULT_MS);
    if (run_try(r, "/saga.v1.Coordinator/RegisterDefinition", &request.base,
                &saga__v1__register_definition_response__descriptor, deadline, false, &answer, &error) != SAGA_OK) {
        if (!r->o.dry_run || strcmp(error.reason, SAGA_REASON_UNREACHABLE) != 0)
            return refused(r, file->path, &error);
        run_note(r, "no sidecar answers at %s: only checked here", wire_address(r->wire));
        return EXIT_DONE;
    }
    if (sending == SEND && r->o.json)
        status = run_json(r, &answer->base, r->o.word_count > 1);
    else if (sending == SEND) {
        put_findings(r, file->path, answer);
        put_registered(r, answer);
    }
    protobuf_c_message_free_unpacked(&answer->base, NULL);
    return status;
}

/* Reads them all; with --dry-run they are checked here too, so that this needs no sidecar. */
static int read_files(struct run *r, struct file *files)
{
    int status = EXIT_DONE;
    for (unsigned i = 0; i < r->o.word_count; i++) {
        struct definition *d = NULL;
        files[i].path = r->o.words[i];
        int this = run_read_file(r, files[i].path, &files[i].text, &files[i].size);
        if (this == EXIT_DONE && r->o.dry_run)
            this = lint(r, files[i].path, files[i].text, files[i].size, &d);
        definition_destroy(d);
        status = status == EXIT_DONE ? this : status;
    }
    return status;
}

/* Registers, as the definition's schema, what its targets tell of themselves. */
static int reflect_file(struct run *r, const struct file *file)
{
    struct reflected files = {.count = 0};
    struct definition *d;
    char *set;
    size_t size;
    int status = lint(r, file->path, file->text, file->size, &d);
    if (status != EXIT_DONE)
        return status;
    if (d->schema_name == NULL)
        status = run_say(r, EXIT_REFUSED, "%.400s: names no schema, which would be that of its targets' types",
                         findings_path(file->path));
    if (status == EXIT_DONE)
        status = reflect_definition(r, d, &files);
    if (status == EXIT_DONE)
        status = reflect_set(r, &files, &set, &size);
    reflect_finish(&files);
    if (status == EXIT_DONE) {
        status = run_register_schema(r, d->schema_name, set, size);
        free(set);
    }
    definition_destroy(d);
    return status;
}

/* Sends them all; the first status that is not EXIT_DONE counts. */
static int send_files(struct run *r, const struct file *files, enum sending sending)
{
    int status = EXIT_DONE;
    for (unsigned i = 0; i < r->o.word_count && status != EXIT_UNREACHABLE; i++) {
        int this = send_definition(r, &files[i], sending);
        status = status == EXIT_DONE || this == EXIT_UNREACHABLE ? this : status;
    }
    return status;
}

/* All are read, and tried, before the first is registered: a mistake in the last is no reason to have registered the others. */
int command_register(struct run *r)
{
    struct file *files = calloc(r->o.word_count, sizeof *files);
    if (files == NULL)
        return run_say(r, EXIT_REFUSED, "there is no memory for the files");
    int status = read_files(r, files);
    for (unsigned i = 0; r->o.reflect && status == EXIT_DONE && i < r->o.word_count; i++)
        status = reflect_file(r, &files[i]);
    if (status == EXIT_DONE && r->o.word_count > 1 && !r->o.dry_run)
        status = send_files(r, files, SEND_TO_TRY);
    if (status == EXIT_DONE)
        status = send_files(r, files, SEND);
    for (unsigned i = 0; i < r->o.word_count; i++)
        free(files[i].text);
    free(files);
    return status;
}

/* ---- definitions ---- */

/* A YAML text holds no control characters but line ends and tabs; whatever sent this may not be a sidecar, though. */
static void put_source(const struct screen *s, const ProtobufCBinaryData *source)
{
    for (size_t at = 0; at < source->len;) {
        char line[1024], clean[4096];
        size_t size = 0;
        while (at + size < source->len && size < sizeof line - 1 && source->data[at + size] != '\n')
            size++;
        memcpy(line, source->data + at, size);
        line[size] = '\0';
        at += size;
        fputs(screen_clean(s, line, clean, sizeof clean), s->out);
        if (at < source->len && source->data[at] == '\n') {
            fputc('\n', s->out);
            at++;
        }
    }
}

/* Where no person reads, the text as it was registered; but whatever sent it may not be a sidecar, and a pipe may end on a terminal: of the
 * control characters only those that a YAML text has are let through. */
static void put_bytes(FILE *out, const ProtobufCBinaryData *source)
{
    for (size_t i = 0; i < source->len; i++) {
        uint8_t c = source->data[i];
        bool line_end = c == '\r' && i + 1 < source->len && source->data[i + 1] == '\n';
        bool high = i > 0 && source->data[i - 1] == 0xc2 && c >= 0x80 && c < 0xa0; /* U+0080 to U+009F */
        bool steers = (c < 0x20 && c != '\n' && c != '\t' && !line_end) || c == 0x7f || high;
        fputc(steers ? (high ? 0xbf : '?') : c, out);
    }
}

static int put_one(struct run *r)
{
    Saga__V1__GetDefinitionRequest request = SAGA__V1__GET_DEFINITION_REQUEST__INIT;
    Saga__V1__Definition *answer;
    request.name = r->o.words[0];
    request.version = r->o.word_count > 1 ? r->o.words[1] : request.version;
    int status =
        run_call(r, "/saga.v1.Coordinator/GetDefinition", &request.base, &saga__v1__definition__descriptor, &answer);
    if (status != EXIT_DONE)
        return status;
    if (r->o.json)
        status = run_json(r, &answer->base, false);
    else if (r->screen.terminal)
        put_source(&r->screen, &answer->source);
    else
        put_bytes(r->screen.out, &answer->source);
    protobuf_c_message_free_unpacked(&answer->base, NULL);
    return status;
}

/* Adds a page (takes its definitions, which it is freed without) to those of the pages before. Returns false when there
 * is no memory. */
static bool gather(Saga__V1__ListDefinitionsResponse *all, Saga__V1__ListDefinitionsResponse *page)
{
    Saga__V1__Definition **definitions =
        realloc(all->definitions, (all->n_definitions + page->n_definitions + 1) * sizeof *definitions);
    if (definitions == NULL)
        return false;
    all->definitions = definitions;
    for (size_t i = 0; i < page->n_definitions; i++)
        definitions[all->n_definitions++] = page->definitions[i];
    page->n_definitions = 0;
    return true;
}

int run_definitions(struct run *r, Saga__V1__ListDefinitionsResponse *all)
{
    saga__v1__list_definitions_response__init(all);
    Saga__V1__ListDefinitionsRequest request = SAGA__V1__LIST_DEFINITIONS_REQUEST__INIT;
    char token[TOKEN_SIZE] = "";
    request.page_size = 1000;
    do {
        Saga__V1__ListDefinitionsResponse *page;
        request.page_token = token;
        int status = run_call(r, "/saga.v1.Coordinator/ListDefinitions", &request.base,
                              &saga__v1__list_definitions_response__descriptor, &page);
        if (status != EXIT_DONE)
            return status;
        int next = run_next_page(r, token, page->next_page_token);
        bool gathered = next == EXIT_DONE && gather(all, page);
        protobuf_c_message_free_unpacked(&page->base, NULL);
        if (next != EXIT_DONE)
            return next;
        if (!gathered)
            return run_say(r, EXIT_REFUSED, "there is no memory for the list");
    } while (token[0] != '\0');
    return EXIT_DONE;
}

void run_definitions_free(Saga__V1__ListDefinitionsResponse *all)
{
    for (size_t i = 0; i < all->n_definitions; i++)
        protobuf_c_message_free_unpacked(&all->definitions[i]->base, NULL);
    free(all->definitions);
}

int command_definitions(struct run *r)
{
    Saga__V1__ListDefinitionsResponse all;
    if (r->o.word_count > 0)
        return put_one(r);
    int status = run_definitions(r, &all);
    if (status == EXIT_DONE && r->o.json)
        status = run_json(r, &all.base, false);
    else if (status == EXIT_DONE && all.n_definitions == 0)
        fputs("No definition is registered. Register one with: sagactl register FILE\n", r->screen.out);
    else if (status == EXIT_DONE)
        show_definitions(&r->screen, all.definitions, all.n_definitions);
    run_definitions_free(&all);
    return status;
}
