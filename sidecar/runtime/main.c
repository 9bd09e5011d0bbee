/* main.c - the sagad program: its command line, its signals, its exit code. docs/man/sagad.8 describes them. */
#include "sidecar/observe/log.h"
#include "sidecar/config/config.h"
#include "sidecar/runtime/definitions_dir.h"
#include "sidecar/journal/postgres/postgres_store.h"
#include "sidecar/runtime/journal.h"
#include "sidecar/runtime/journal_check.h"
#include "sidecar/runtime/explain.h"
#include "sidecar/runtime/precheck.h"
#include "sidecar/runtime/policing.h"
#include "sidecar/runtime/remedies.h"
#include "sidecar/runtime/sidecar.h"
#include "sidecar/runtime/release.h"
#include "transport/core.h"

#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* How long the last lines of the log may take to be written. */
#define LOG_PATIENCE SPAN_S(1)

enum exit_code {
    EXIT_OK = 0,
    EXIT_RAN_INTO_TROUBLE = 1, /* could not start, or had to stop */
    EXIT_USAGE = 2,            /* the command line, or the configuration */
};

static const char usage[] =
    "Usage: sagad [-n | --check-journal | --migrate] [-f FILE]\n"
    "       sagad --as WHO [--method METHOD] [--definition NAME] [-f FILE]\n"
    "\n"
    "  -f, --file FILE   read the configuration from FILE; without it every option has its default\n"
    "  -n, --check       check the configuration, the definitions it names, and whether a start\n"
    "                    would be refused now, and exit\n"
    "      --check-journal\n"
    "                    read the journal whole, compare every index with its rows, and exit\n"
    "      --migrate     make the tables in the database that store names, or bring them up\n"
    "                    to date, and exit\n"
    "      --print-sql[=VERSION]\n"
    "                    print the SQL that makes these tables, or brings those of VERSION up to date, and exit\n"
    "      --as WHO      print what the configuration lets WHO do, and exit: uid:N, gid:N, plaintext, unix, tls, "
    "spiffe://...,\n"
    "                    dns:NAME\n"
    "      --method METHOD\n"
    "                    of one method, as in Retry; the exit code is 0 when it is allowed, else 1\n"
    "      --definition NAME\n"
    "                    of one definition\n"
    "      --options     print every option of the configuration, and exit\n"
    "      --version     print the version, and exit\n"
    "  -h, --help        print this, and exit\n"
    "\n"
    "Without a file: data in ./sagad-data, served on a unix socket in it, for its owner alone.\n";

struct arguments {
    const char *file;
    bool check, check_journal, migrate;
    struct explain explain;
};

/* version: of the tables that there are; NULL: none are. */
static int print_sql(const char *version)
{
    unsigned long from = 0;
    if (version != NULL) {
        char *end;
        from = strtoul(version, &end, 10);
        if (*version < '1' || *version > '9' || *end != '\0' || from > UINT_MAX) {
            fprintf(stderr, "sagad: --print-sql=%s: a version is a number: select version from saga_schema\n", version);
            return EXIT_USAGE;
        }
    }
    if (postgres_store_print_sql((unsigned)from, stdout) == 0)
        return EXIT_OK;
    fprintf(stderr,
            "sagad: --print-sql=%lu: there is nothing to be done to tables of this version: this sagad has it, or does "
            "not know it\n",
            from);
    return EXIT_USAGE;
}

/* Returns -1 to go on, or the exit code. */
static int read_arguments(int argc, char **argv, struct arguments *out)
{
    static const struct option options[] = {
        {"file", required_argument, NULL, 'f'},
        {"check", no_argument, NULL, 'n'},
        {"options", no_argument, NULL, 'o'},
        {"check-journal", no_argument, NULL, 'j'},
        {"version", no_argument, NULL, 'v'},
        {"as", required_argument, NULL, 'a'},
        {"method", required_argument, NULL, 'm'},
        {"definition", required_argument, NULL, 'd'},
        {"help", no_argument, NULL, 'h'},
        {"migrate", no_argument, NULL, 'g'},
        {"print-sql", optional_argument, NULL, 's'},
        {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "f:nh", options, NULL)) != -1) {
        switch (option) {
        case 'f':
            out->file = optarg;
            break;
        case 'n':
            out->check = true;
            break;
        case 'j':
            out->check_journal = true;
            break;
        case 'g':
            out->migrate = true;
            break;
        case 's':
            return print_sql(optarg);
        case 'a':
            out->explain.as = optarg;
            break;
        case 'm':
            out->explain.method = optarg;
            break;
        case 'd':
            out->explain.definition = optarg;
            break;
        case 'o':
            config_print_options(stdout);
            return EXIT_OK;
        case 'v':
            printf("sagad %s\n", sagad_version);
            return EXIT_OK;
        case 'h':
            fputs(usage, stdout);
            return EXIT_OK;
        default:
            fputs("Try: sagad --help\n", stderr);
            return EXIT_USAGE;
        }
    }
    if (out->explain.as == NULL && (out->explain.method != NULL || out->explain.definition != NULL)) {
        fputs("sagad: --method and --definition go with --as.\nTry: sagad --help\n", stderr);
        return EXIT_USAGE;
    }
    if (optind == argc)
        return -1;
    fprintf(stderr, "sagad: what is %s? A file is given by -f.\nTry: sagad --help\n", argv[optind]);
    return EXIT_USAGE;
}

/* What is wrong with the configuration, before it can be known in which form it wants its log. */
static void complain(const char *file, int code, const struct error_detail *detail)
{
    char line[512];
    config_describe_error(file, code, detail, line, sizeof line);
    fprintf(stderr, "sagad: %s\n", line);
}

/* What keeps a sidecar from serving, in the log's own form. */
static void tell_fatal(const char *text, const char *file, int code, const struct error_detail *detail)
{
    char line[512];
    /* Only an error of an option is an error of the file. */
    config_describe_error(detail->field[0] != '\0' ? file : NULL, code, detail, line, sizeof line);
    log_event(LOG_LEVEL_ERROR, text, LOG_TEXT("reason", error_row(code)->reason), LOG_TEXT("text", line));
}

/* ---- signals: a thread of their own waits for them, so that no handler runs anywhere ---- */

static sigset_t own_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    return set;
}

/* What the thread of signals works with. */
struct signalled {
    struct sidecar *sidecar;
    const char *file;
};

static void *wait_for_signals(void *self)
{
    const struct signalled *s = self;
    sigset_t set = own_signals();
    int which;
    while (sigwait(&set, &which) == 0 && which == SIGHUP)
        sidecar_reload(s->sidecar, s->file);
    sidecar_stop(s->sidecar);
    return NULL;
}

/* Every connection is a file, and systems start programs with room for few. */
static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Without a standard error the first file that is opened would take its place, and lines of the log would go into the journal's lock. */
static void fill_standard_files(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) == -1)
            (void)!open("/dev/null", O_RDWR);
}

/* First of all that is ours, before the libraries make themselves ready, and before gRPC starts threads, which inherit the mask: a signal waits
 * until there is somebody for it. Only what comes while the program is being loaded still ends it by its default. */
static void block_signals(void)
{
    uint64_t set = UINT64_C(1) << (SIGTERM - 1) | UINT64_C(1) << (SIGINT - 1) | UINT64_C(1) << (SIGHUP - 1);
    syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, sizeof set);
}

__attribute__((section(".preinit_array"), used)) static void (*const first_of_all)(void) = block_signals;

static void prepare_process(void)
{
    signal(SIGPIPE, SIG_IGN);
    /* A limit on the size of files is told by the write that meets it, like a full disk. */
    signal(SIGXFSZ, SIG_IGN);
    fill_standard_files();
    raise_file_limit();
    transport_crypto();
}

static int serve(struct signalled *s)
{
    struct error_detail detail;
    pthread_t thread;
    if (pthread_create(&thread, NULL, wait_for_signals, s) != 0) {
        log_say(LOG_LEVEL_ERROR, "cannot start: no thread can be had for signals");
        return EXIT_RAN_INTO_TROUBLE;
    }
    int code = sidecar_run(s->sidecar, &detail);
    if (code != 0)
        tell_fatal("stopped: the sidecar cannot go on", NULL, code, &detail);
    else
        log_say(LOG_LEVEL_INFO, "stopped");
    pthread_kill(thread, SIGTERM); /* its wait ends, if it has not by a signal from outside */
    pthread_join(thread, NULL);
    return code == 0 ? EXIT_OK : EXIT_RAN_INTO_TROUBLE;
}

/* Neither a file nor, where a program takes them, a pipe gets what the memory holds. Nothing is asked back: where the system has no such file,
 * the limit holds. */
static void forbid_core_dumps(void)
{
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    int fd = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)!write(fd, "0", 1);
    close(fd);
}

static int run(const struct config *config, const char *file)
{
    struct sidecar *s;
    struct error_detail detail;
    int exit_code = EXIT_RAN_INTO_TROUBLE;
    if (!config->core_dumps)
        forbid_core_dumps();
    log_open(&(struct log_options){.level = config->log_level, .format = config->log_format, .fd = STDERR_FILENO});
    int code = sidecar_open(config, file, &s, &detail);
    if (code == 0) {
        exit_code = serve(&(struct signalled){.sidecar = s, .file = file});
        sidecar_close(s);
    } else if (code == E_STOPPING) {
        log_say(LOG_LEVEL_INFO, "stopped");
        exit_code = EXIT_OK;
    } else {
        tell_fatal("cannot start", file, code, &detail);
    }
    log_close(LOG_PATIENCE);
    return exit_code;
}

static int check_journal(const struct config *config, const char *file)
{
    struct error_detail detail = {0};
    int code = journal_check(config, stdout, &detail);
    if (code != 0 && code != E_JOURNAL_CORRUPT)
        complain(file, code, &detail);
    return code == 0 ? EXIT_OK : EXIT_RAN_INTO_TROUBLE;
}

static int migrate(const struct config *config, const char *file)
{
    struct error_detail detail = {0};
    int code = journal_migrate(config, stdout, &detail);
    if (code != 0)
        complain(file, code, &detail);
    return code == 0 ? EXIT_OK : code == E_ARGUMENT ? EXIT_USAGE : EXIT_RAN_INTO_TROUBLE;
}

/* The file is good; but would the sidecar start? */
static int check_start(const struct config *config)
{
    unsigned refusals = precheck(config, stderr);
    printf("The configuration is good%s.\n%s", refusals > 0 ? ", but a start would be refused now" : "",
           precheck_unknown);
    return refusals > 0 ? EXIT_RAN_INTO_TROUBLE : EXIT_OK;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {0};
    struct config *config = NULL;
    struct error_detail detail;
    prepare_process();
    int exit_code = read_arguments(argc, argv, &arguments);
    if (exit_code >= 0)
        return exit_code;
    int code = config_read(arguments.file, &config, &detail);
    if (code == 0 && arguments.check)
        code = definitions_dir_check(config, &detail);
    struct policy *policy = NULL;
    if (code == 0 && arguments.check)
        code = policing_open(config, &policy, &detail);
    policy_destroy(policy);
    if (code == 0 && arguments.check)
        code = remedies_check(config, &detail);
    bool asked =
        arguments.check || arguments.check_journal || arguments.explain.as != NULL; /* by a person, who reads */
    if (code != 0 && !asked && config_wants_json(arguments.file)) {
        log_open(&(struct log_options){.level = CONFIG_LOG_INFO, .format = CONFIG_LOG_JSON, .fd = STDERR_FILENO});
        tell_fatal("cannot start", arguments.file, code, &detail);
        log_close(LOG_PATIENCE);
        return EXIT_USAGE;
    }
    if (code != 0) {
        complain(arguments.file, code, &detail);
        config_destroy(config);
        return EXIT_USAGE;
    }
    if (arguments.explain.as != NULL) {
        exit_code = explain_print(config, &arguments.explain, stdout, stderr);
    } else if (arguments.check) {
        exit_code = check_start(config);
    } else if (arguments.check_journal) {
        exit_code = check_journal(config, arguments.file);
    } else if (arguments.migrate) {
        exit_code = migrate(config, arguments.file);
    } else {
        exit_code = run(config, arguments.file);
    }
    config_destroy(config);
    return exit_code < 0 ? EXIT_OK : exit_code;
}
