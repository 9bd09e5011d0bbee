/* What is said of calls, as whole tables: what each end of a call proves, how each error is told, whose turn it is among addresses, what becomes of
 * messages that are packed, and which files are given for each question of reflection. Kept in tests/fixtures/rpc/tables.txt;
 * `build/release/tests/unit/test_rpc_tables write` writes that anew, for its difference to be read. */
#include "sidecar/rpc/rpc_inside.h"

#include "sidecar/base/grpc_status.h"
#include "sidecar/rpc/status_details.h"
#include "tests/support/api_world.h"
#include "tests/support/kept_text.h"
#include "tests/support/wire_text.h"

#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "grpc/reflection/v1/reflection.pb-c.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* ---- what an end proves ---- */

static char letter_of(enum saga_reach reach)
{
    static const char letters[] = {
        [SAGA_REACH_NONE] = '-', [SAGA_REACH_MAYBE] = '?', [SAGA_REACH_ANSWERED] = 'A', [SAGA_REACH_NOT_BEGUN] = 'N'};
    return letters[reach];
}

/* A letter for each status from 0, and one beyond the last. */
static void put_reaches(FILE *out)
{
    static const char *const traces[] = {
        NULL,
        "",
        "UNKNOWN:Error received from peer ipv4:127.0.0.1:1",
        "UNKNOWN:Error received from peer, Received http2 header with status: 403",
        "UNKNOWN:Error received from peer, Received RST_STREAM with error code 2",
        "Received http2 header with status: 403",
    };
    static const char *const functions[] = {NULL, "", SAGA_FUNCTION_ENDED, SAGA_FUNCTION_NOT_BEGUN, "begun"};
    for (size_t t = 0; t < sizeof traces / sizeof traces[0]; t++)
        for (size_t f = 0; f < sizeof functions / sizeof functions[0]; f++)
            for (int how = 0; how < 4; how++) {
                struct rpc_ending e = {
                    .trace = traces[t], .function = functions[f], .unsent = how & 1, .ended_here = how & 2};
                for (e.status = 0; e.status <= CODE_COUNT; e.status++)
                    fputc(letter_of(rpc_reach_of(&e)), out);
                fprintf(out, " %s%strace %s; function %s\n", how & 1 ? "unsent " : "", how & 2 ? "ended here " : "",
                        traces[t] == NULL ? "none" : traces[t], functions[f] == NULL ? "none" : functions[f]);
            }
}

/* D done, R rejected, U unknown; small where it is not worth another attempt. */
static void put_answers(FILE *out)
{
    static const uint32_t listed[] = {0, 1u << CODE_NOT_FOUND | 1u << CODE_INTERNAL, UINT32_MAX};
    for (size_t l = 0; l < 3; l++)
        for (int reach = SAGA_REACH_NONE; reach <= SAGA_REACH_NOT_BEGUN; reach++) {
            for (int status = -1; status <= CODE_COUNT; status++) {
                struct saga_answer a = saga_answer_of_action(status, (enum saga_reach)reach, listed[l]);
                static const char letters[] = {
                    [SAGA_MEANS_DONE] = 'D', [SAGA_MEANS_REJECTED] = 'R', [SAGA_MEANS_UNKNOWN] = 'U'};
                fputc(letters[a.meaning] + (a.retry ? 0 : 'a' - 'A'), out);
            }
            fprintf(out, " from -1, reach %c, listed %x\n", letter_of((enum saga_reach)reach), (unsigned)listed[l]);
        }
}

/* ---- how errors are told ---- */

static void put_detail(FILE *out, const Google__Protobuf__Any *any)
{
    const char *type = strrchr(any->type_url, '.') + 1;
    if (strcmp(type, "ErrorInfo") == 0) {
        Google__Rpc__ErrorInfo *info = google__rpc__error_info__unpack(NULL, any->value.len, any->value.data);
        ck_assert(info != NULL && info->n_metadata == 0);
        fprintf(out, "; %s %s", info->domain, info->reason);
        google__rpc__error_info__free_unpacked(info, NULL);
    } else if (strcmp(type, "BadRequest") == 0) {
        Google__Rpc__BadRequest *bad = google__rpc__bad_request__unpack(NULL, any->value.len, any->value.data);
        ck_assert_ptr_nonnull(bad);
        for (size_t i = 0; i < bad->n_field_violations; i++)
            fprintf(out, "; \"%s\" is bad: %s", bad->field_violations[i]->field, bad->field_violations[i]->description);
        google__rpc__bad_request__free_unpacked(bad, NULL);
    } else {
        ck_assert_str_eq(any->type_url, "type.googleapis.com/google.rpc.RetryInfo");
        Google__Rpc__RetryInfo *retry = google__rpc__retry_info__unpack(NULL, any->value.len, any->value.data);
        ck_assert_ptr_nonnull(retry);
        fprintf(out, "; after %lld s %d ns", (long long)retry->retry_delay->seconds, (int)retry->retry_delay->nanos);
        google__rpc__retry_info__free_unpacked(retry, NULL);
    }
}

static void put_error(FILE *out, int code, const struct error_detail *detail)
{
    uint8_t at[STATUS_DETAILS_SIZE_MAX];
    char message[STATUS_MESSAGE_SIZE_MAX];
    struct bytes packed = status_details(code, detail, at);
    Google__Rpc__Status *status = google__rpc__status__unpack(NULL, packed.size, packed.at);
    ck_assert_ptr_nonnull(status);
    ck_assert_str_eq(status->message, status_message(code, detail, message));
    fprintf(out, "%s: %s", grpc_status_name(status->code), status->message);
    for (size_t i = 0; i < status->n_details; i++)
        put_detail(out, status->details[i]);
    fprintf(out, "\n");
    google__rpc__status__free_unpacked(status, NULL);
}

static void put_errors(FILE *out)
{
    static const struct error_detail details[] = {
        {.field = "steps[2].action"},
        {.text = "it is not so"},
        {.field = "source", .text = "a step has no name", .line = 3, .column = 7},
        {.line = 0, .column = 9, .retry_ms = 1},
        {.line = 1, .column = 0, .retry_ms = 12345},
    };
    static const int codes[] = {E_ARGUMENT, E_HELD, E_STOPPING, E_JOURNAL_FULL, E_HOLDS, E_MEMORY};
#define CODE_OF(constant, number, reason, status, retryable, text) constant,
    static const int every[] = {ERROR_TABLE(CODE_OF)};
    for (size_t i = 0; i < sizeof every / sizeof every[0]; i++)
        put_error(out, every[i], NULL);
    for (size_t c = 0; c < sizeof codes / sizeof codes[0]; c++)
        for (size_t d = 0; d < sizeof details / sizeof details[0]; d++)
            put_error(out, codes[c], &details[d]);
}

/* ---- whose turn it is ---- */

static void put_turns(FILE *out)
{
    static const char letters[] = {[SPREAD_IDLE] = 'i', [SPREAD_READY] = 'r', [SPREAD_FAILING] = 'f'};
    uint8_t states[4];
    for (unsigned count = 0, all = 1; count <= 4; count++, all *= 3)
        for (unsigned number = 0; number < all; number++) {
            char text[5] = "";
            for (unsigned i = 0, rest = number; i < count; i++, rest /= 3) {
                states[i] = (uint8_t)(rest % 3);
                text[i] = letters[states[i]];
            }
            fprintf(out, "%4s%s:", text, spread_hopeless(states, count) ? " hopeless" : "");
            for (int policy = SPREAD_ROUND_ROBIN; policy <= SPREAD_PICK_FIRST; policy++) {
                fprintf(out, "%s", policy == SPREAD_PICK_FIRST ? " pick" : " turns");
                for (unsigned from = 0; from <= count + 1; from++) {
                    unsigned turn = from;
                    int next = spread_next((enum spread_policy)policy, states, count, &turn);
                    fprintf(out, " %d/%u", next, turn);
                }
                fprintf(out, " wants ");
                for (unsigned i = 0; i < count; i++)
                    fputc(spread_wants((enum spread_policy)policy, states, count, i) ? 'y' : 'n', out);
            }
            fprintf(out, "\n");
        }
}

/* ---- what is packed ---- */

enum { BYTES_MAX = 40000 };

static void put_unpacked(FILE *out, const char *what, const uint8_t *at, size_t size, size_t pieces,
                         grpc_compression_algorithm algorithm)
{
    const struct rpc room = {.options = {.message_bytes_max = BYTES_MAX}};
    grpc_slice slices[3], flat;
    struct bytes message;
    for (size_t i = 0; i < pieces; i++)
        slices[i] = grpc_slice_from_copied_buffer((const char *)at + size * i / pieces,
                                                  size * (i + 1) / pieces - size * i / pieces);
    grpc_byte_buffer *buffer = grpc_raw_compressed_byte_buffer_create(slices, pieces, algorithm);
    int code = rpc_unpack(&room, buffer, &message, &flat);
    if (code == 0)
        fprintf(out, "%s in %zu: %zu bytes, %08lx\n", what, pieces, message.size,
                crc32(0, message.size == 0 ? (const Bytef *)"" : message.at, (uInt)message.size));
    else
        fprintf(out, "%s in %zu: %s\n", what, pieces, rpc_unpack_words(code));
    grpc_slice_unref(flat);
    for (size_t i = 0; i < pieces; i++)
        grpc_slice_unref(slices[i]);
    grpc_byte_buffer_destroy(buffer);
}

static void put_messages(FILE *out)
{
    static const size_t sizes[] = {0,     1,     100,           16383,     16384,        16385,
                                   32768, 32769, BYTES_MAX - 1, BYTES_MAX, BYTES_MAX + 1};
    static uint8_t plain[BYTES_MAX + 1], packed[2 * BYTES_MAX];
    char what[64];
    for (size_t i = 0; i < sizeof plain; i++)
        plain[i] = (uint8_t)(i * i >> 4);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (int form = 0; form < 3; form++) {
            static const char *const names[] = {"plain", "gzip", "deflate"};
            z_stream z = {.next_in = plain, .avail_in = (uInt)sizes[i], .next_out = packed, .avail_out = sizeof packed};
            ck_assert_int_eq(deflateInit2(&z, 6, Z_DEFLATED, form == 1 ? 31 : 15, 8, Z_DEFAULT_STRATEGY), Z_OK);
            ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
            deflateEnd(&z);
            size_t size = sizeof packed - z.avail_out;
            snprintf(what, sizeof what, "%zu bytes, %s", sizes[i], names[form]);
            for (size_t pieces = 1; pieces <= 3; pieces += 2)
                put_unpacked(out, what, form == 0 ? plain : packed, form == 0 ? sizes[i] : size, pieces,
                             (grpc_compression_algorithm)form);
            if (form == 0 || sizes[i] != 100)
                continue;
            put_unpacked(out, "the same by another name", packed, size, 1, (grpc_compression_algorithm)(3 - form));
            put_unpacked(out, "the same with more behind it", packed, size + 1, 1, (grpc_compression_algorithm)form);
            for (size_t cut = 1; cut < size; cut += size / 5)
                put_unpacked(out, "the same cut off", packed, size - cut, 1, (grpc_compression_algorithm)form);
        }
    put_unpacked(out, "nothing", packed, 0, 0, GRPC_COMPRESS_GZIP);
    put_unpacked(out, "not packed at all", plain, 1000, 1, GRPC_COMPRESS_GZIP);
}

/* ---- reflection ---- */

static FILE *told_to;

static void put_response(struct bytes message)
{
    Grpc__Reflection__V1__ServerReflectionResponse *r =
        grpc__reflection__v1__server_reflection_response__unpack(NULL, message.size, message.at);
    ck_assert(r != NULL && r->original_request != NULL);
    ck_assert_str_eq(r->valid_host, r->original_request->host);
    if (r->message_response_case == 7)
        fprintf(told_to, " %d: %s", (int)r->error_response->error_code, r->error_response->error_message);
    if (r->message_response_case == 6)
        for (size_t i = 0; i < r->list_services_response->n_service; i++)
            fprintf(told_to, " %s", r->list_services_response->service[i]->name);
    if (r->message_response_case == 4)
        for (size_t i = 0; i < r->file_descriptor_response->n_file_descriptor_proto; i++) {
            const ProtobufCBinaryData *file = &r->file_descriptor_response->file_descriptor_proto[i];
            ck_assert(file->len > 2 && file->data[0] == 0x0a); /* its name comes first */
            fprintf(told_to, " %.*s/%zu", (int)file->data[1], (const char *)file->data + 2, file->len);
        }
    fprintf(told_to, r->valid_host[0] == '\0' ? "\n" : " (%s)\n", r->valid_host);
    grpc__reflection__v1__server_reflection_response__free_unpacked(r, NULL);
}

/* The room asks in a call that has no gRPC behind it. */
static void ask_bytes(struct rpc *r, struct bytes request)
{
    static const struct rpc_method method = {.path = "/reflection", .kind = RPC_BIDI};
    static struct api_world world = {.open_calls = 0};
    static struct api_loop loop = {.world = &world};
    static struct world_call call;
    call = (struct world_call){.method = &method, .loop = &loop};
    world.open_calls = 1;
    rpc_reflection_answer(r, (struct rpc_call *)(void *)&call, request);
    ck_assert_uint_eq(call.sent_count, !call.ended);
    if (call.ended)
        fprintf(told_to, " ends with %d: %s\n", call.status, call.message);
    else
        put_response(call.sent[0]);
    free((void *)(uintptr_t)(call.ended ? call.body : call.sent[0]).at);
}

static void ask(struct rpc *r, const char *question, const char *argument)
{
    uint8_t request[512];
    char text[400];
    snprintf(text, sizeof text, "1:'%s' %s:'%s'", argument[0] == 'p' ? "a.host" : "", question, argument);
    fprintf(told_to, "%s %s:", question, argument);
    ask_bytes(r, bytes_of(request, wire_of_text(text, request, sizeof request)));
}

/* Each word after each that is declared, or a package: in its place and out of it. What is not is told by its last word alone. */
static void ask_symbols(struct rpc *r, const char *before, unsigned depth)
{
    static const char *const words[] = {"p",   "q",    "Outer", "Inner", "Deep",  "field", "Color",
                                        "RED", "Shop", "Sell",  "Out",   "extra", ""};
    char symbol[128], others[256] = "";
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        char *told;
        size_t size;
        FILE *out = told_to;
        snprintf(symbol, sizeof symbol, "%s%s%s", before, depth > 0 ? "." : "", words[i]);
        told_to = open_memstream(&told, &size);
        ask(r, "4", symbol);
        fclose(told_to);
        told_to = out;
        bool found = strstr(told, ": 5: no such file or symbol is served") == NULL;
        if (found)
            fputs(told, out);
        else
            snprintf(others + strlen(others), sizeof others - strlen(others), " '%s'", words[i]);
        free(told);
        if ((found || strcmp(symbol, "p") == 0 || strcmp(symbol, "p.q") == 0) && depth < 6)
            ask_symbols(r, symbol, depth + 1);
    }
    fprintf(told_to, "not in '%s':%s\n", before, others);
}

static const char descriptors[] =
    /* p.q: imports both others, and one that is not here; what is imported twice is given once */
    "1:{1:'a.proto' 2:'p.q' 3:'b.proto' 3:'none.proto' 3:'c.proto' "
    "4:{1:'Outer' 2:{1:'field'} 3:{1:'Inner' 2:{1:'extra'} 3:{1:'Deep' 2:{1:'field'}}} 4:{1:'Color' 2:{1:'RED'}}} "
    "6:{1:'Shop' 2:{1:'Sell'} 2:{1:'extra'}}} "
    /* p: an enum's values are its neighbours */
    "1:{1:'b.proto' 2:'p' 3:'c.proto' 3:'a.proto' 4:{1:'Out'} 5:{1:'Color' 2:{1:'RED'} 2:{1:'extra'}}} "
    /* no package */
    "1:{1:'c.proto' 4:{1:'Outer' 2:{1:'RED'} 2:{1:'Sell'}} 5:{1:'Inner'} 6:{1:'Out'} 6:{1:'Sell' 2:{1:'RED'}}} "
    "1:{1:'d.proto' 2:'p.q' 4:{1:'Inner'} 5:{1:'Deep' 2:{1:'field'}}}";

static void put_services(FILE *out)
{
    enum { MANY = 70 };
    static struct rpc_method each[2 * MANY];
    static struct rpc_served served[2 * MANY];
    static char paths[2 * MANY][160];
    for (unsigned i = 0; i < 2 * MANY; i++) {
        int width = i == 10 ? 126 : i == 12 ? 127 : 1; /* the longest, and one too long */
        snprintf(paths[i], sizeof paths[i], "/s%0*u/Method%u", width, i % MANY / 2 * 2 + i / MANY, i);
        each[i].path = paths[i];
        served[i].method = &each[i];
    }
    for (size_t count = 0; count <= 2 * MANY; count += count < 16 ? 1 : 31) {
        struct rpc r = {.served = served, .served_count = count};
        fprintf(out, "%zu methods ", count);
        ask(&r, "7", "");
    }
}

static void put_reflection(FILE *out)
{
    static uint8_t set[4096];
    struct rpc r = {.served_count = 0};
    told_to = out;
    ask(&r, "3", "a.proto"); /* nothing is served yet */
    for (int again = 0; again < 2; again++)
        rpc_set_descriptors(&r, bytes_of(set, wire_of_text(descriptors, set, sizeof set)));
    static const char *const files[] = {"a.proto", "b.proto", "c.proto", "d.proto", "none.proto", "a.prot", ""};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        ask(&r, "3", files[i]);
    ask_symbols(&r, "", 0);
    ask(&r, "6", "p.q.Outer");
    ask(&r, "9", "unknown");
    fprintf(out, "extension");
    uint8_t request[64];
    ask_bytes(&r, bytes_of(request, wire_of_text("5:{1:'p' 2:1}", request, sizeof request)));
    fprintf(out, "garbage");
    ask_bytes(&r, bytes_of("\xff", 1));
    rpc_reflection_finish(&r);
    put_services(out);
}

static void put_all(FILE *out)
{
    static const struct {
        const char *name;
        void (*put)(FILE *out);
    } tables[] = {
        {"How far a call got that ended with each status", put_reaches},
        {"What each status of an action means", put_answers},
        {"Errors", put_errors},
        {"Addresses in turn", put_turns},
        {"Messages", put_messages},
        {"Reflection", put_reflection},
    };
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        fprintf(out, "== %s\n", tables[i].name);
        tables[i].put(out);
    }
}

START_TEST(rpc_tables__calls_are_told_in_these_words)
{
    grpc_init();
    kept_text_compare("tests/fixtures/rpc/tables.txt", put_all);
    grpc_shutdown();
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "rpc_tables", rpc_tables__calls_are_told_in_these_words);
}
