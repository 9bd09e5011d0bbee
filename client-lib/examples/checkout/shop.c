/* shop.c - options, and a service that answers calls through the barrier. */
#include "shop.h"

#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
    const char *listen;
    const char *database;
    bool audit;
    int64_t action_delay_ms, compensation_delay_ms;
    int64_t limit_cents, stock;
} options = {.limit_cents = 50000, .stock = 1000000};

/* One call on its way through the barrier. */
struct serving {
    const struct shop_side *side;
    bool ran; /* the function was called: the answer is no replay */
};

static const struct shop_service *shop;
static saga_sqlite *store;

uint64_t shop_limit_cents(void)
{
    return (uint64_t)options.limit_cents;
}

int64_t shop_stock(void)
{
    return options.stock;
}

int64_t shop_query(sqlite3 *db, const char *sql, const char *text, int64_t second, int64_t third)
{
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        return -1;
    int parameters = sqlite3_bind_parameter_count(statement);
    if (parameters >= 1)
        sqlite3_bind_text(statement, 1, text, -1, SQLITE_STATIC);
    if (parameters >= 2)
        sqlite3_bind_int64(statement, 2, second);
    if (parameters >= 3)
        sqlite3_bind_int64(statement, 3, third);
    int result = sqlite3_step(statement);
    int64_t value = result == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : result == SQLITE_DONE ? 0 : -1;
    sqlite3_finalize(statement);
    return value;
}

int shop_reply(saga_call *call, const ProtobufCMessage *message)
{
    uint8_t bytes[1024];
    if (protobuf_c_message_get_packed_size(message) > sizeof bytes)
        return saga_call_fail(call, SAGA_E_INTERNAL, "the answer is too long");
    return saga_call_reply(call, bytes, protobuf_c_message_pack(message, bytes));
}

/* ---- calls ---- */

/* Runs inside the transaction. */
static int carry_out(saga_call *call, sqlite3 *db, void *user)
{
    struct serving *serving = user;
    const struct saga_call_info *info = saga_call_info(call);
    serving->ran = true;
    Shop__V1__Order *order = shop__v1__order__unpack(NULL, info->request_size, info->request);
    if (order == NULL)
        return saga_call_fail(call, SAGA_E_INVALID_ARGUMENT, "the request is no shop.v1.Order");
    int status = serving->side->function(call, db, order);
    if (status == SAGA_OK && !shop_ledger_write(call, db, order))
        status = saga_call_fail(call, SAGA_E_UNAVAILABLE, "the ledger cannot be written: %s", sqlite3_errmsg(db));
    shop__v1__order__free_unpacked(order, NULL);
    return status;
}

/* Waits while the answer is on its way, so that whoever is watching can kill somebody meanwhile. */
static void dawdle(saga_call *call, int64_t ms)
{
    for (; ms > 0 && !saga_call_cancelled(call); ms -= 10)
        poll(NULL, 0, ms < 10 ? (int)ms : 10);
}

static int serve(saga_call *call, const struct shop_side *side, int64_t delay_ms)
{
    const struct saga_call_info *info = saga_call_info(call);
    struct serving serving = {.side = side, .ran = false};
    printf("%s %s attempt %d\n", side->beginning, info->saga_id, info->attempt);
    int status = saga_sqlite_run(store, call, carry_out, &serving);
    dawdle(call, delay_ms);
    printf("%s %s: %s%s%s%s\n", side->ended, info->saga_id, saga_status_name(status),
           serving.ran || status != SAGA_OK ? "" : " (nothing to do)", status == SAGA_OK ? "" : ": ",
           status == SAGA_OK ? "" : saga_call_message(call));
    return status;
}

static int serve_action(saga_call *call, void *user)
{
    (void)user;
    return serve(call, &shop->action, options.action_delay_ms);
}

static int serve_compensation(saga_call *call, void *user)
{
    (void)user;
    return serve(call, &shop->compensation, options.compensation_delay_ms);
}

/* ---- the program ---- */

static int complain(const struct saga_error *error)
{
    fprintf(stderr, "%s: %s\n", shop->name, error->message);
    return 1;
}

static int run_service(void)
{
    struct saga_error error;
    saga_participant *participant;
    struct saga_participant_options serving = {.address = options.listen};
    if (saga_participant_open(&serving, &participant, &error) != SAGA_OK)
        return complain(&error);
    int code = saga_participant_step(participant, shop->action.method, serve_action, shop->compensation.method,
                                     serve_compensation, NULL, &error);
    if (code == SAGA_OK) {
        printf("%s listens at %s\n", shop->name, saga_participant_address(participant));
        code = saga_participant_run(participant, &error);
    }
    saga_participant_close(participant);
    return code == SAGA_OK ? 0 : complain(&error);
}

static int audit(void)
{
    sqlite3 *db = saga_sqlite_lock(store);
    bool right = shop_ledger_audit(db, shop);
    saga_sqlite_unlock(store);
    return right ? 0 : 1;
}

static int use(FILE *out)
{
    fprintf(out,
            "usage: %s --db FILE [--listen ADDRESS] [--audit] [options]\n"
            "  --db FILE                    the service's SQLite database; created when it is missing\n"
            "  --listen ADDRESS             HOST:PORT or unix:PATH; default 127.0.0.1:0, any free port\n"
            "  --audit                      print the ledger, check it, and exit: 1 when it does not balance\n"
            "  --action-delay-ms N          wait so long between doing and answering\n"
            "  --compensation-delay-ms N    wait so long between undoing and answering\n"
            "  --limit-cents N              payment: decline what costs more; default 50000\n"
            "  --stock N                    inventory: how many of each article there are at first; default 1000000\n",
            shop->name);
    return out == stdout ? 0 : 2;
}

/* Reads a number of an option into *value; false when it is none. */
static bool read_number(const char *text, int64_t *value)
{
    char *end;
    long long number = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || number < 0 || number > 1000000000000)
        return false;
    *value = number;
    return true;
}

/* Returns -1 to go on, else the exit status. */
static int read_options(int argc, char **argv)
{
    static const struct option names[] = {
        {"listen", required_argument, NULL, 'l'},
        {"db", required_argument, NULL, 'd'},
        {"audit", no_argument, NULL, 'a'},
        {"action-delay-ms", required_argument, NULL, 'A'},
        {"limit-cents", required_argument, NULL, 'c'},
        {"compensation-delay-ms", required_argument, NULL, 'C'},
        {"stock", required_argument, NULL, 's'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    bool good = true;
    for (int option; good && (option = getopt_long(argc, argv, "h", names, NULL)) != -1;) {
        switch (option) {
        case 'l':
            options.listen = optarg;
            break;
        case 'd':
            options.database = optarg;
            break;
        case 'a':
            options.audit = true;
            break;
        case 'A':
            good = read_number(optarg, &options.action_delay_ms);
            break;
        case 'C':
            good = read_number(optarg, &options.compensation_delay_ms);
            break;
        case 'c':
            good = read_number(optarg, &options.limit_cents);
            break;
        case 's':
            good = read_number(optarg, &options.stock);
            break;
        case 'h':
            return use(stdout);
        default:
            good = false;
        }
    }
    return good && options.database != NULL && optind == argc ? -1 : use(stderr);
}

int shop_main(int argc, char **argv, const struct shop_service *service)
{
    shop = service;
    int code = read_options(argc, argv);
    if (code >= 0)
        return code;
    /* Each line is an event that others wait for. */
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);

    struct saga_error error;
    if (saga_sqlite_open(options.database, NULL, &store, &error) != SAGA_OK)
        return complain(&error);
    sqlite3 *db = saga_sqlite_lock(store);
    bool created = sqlite3_exec(db, shop_ledger_schema, NULL, NULL, NULL) == SQLITE_OK &&
                   sqlite3_exec(db, shop->schema, NULL, NULL, NULL) == SQLITE_OK;
    if (!created)
        fprintf(stderr, "%s: %s: %s\n", shop->name, options.database, sqlite3_errmsg(db));
    saga_sqlite_unlock(store);
    code = !created ? 1 : options.audit ? audit() : run_service();
    saga_sqlite_close(store);
    return code;
}
