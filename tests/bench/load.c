/* load.c - the load generator: keeps N sagas (or calls) in flight against one server for some seconds and prints what came of it as one line
 * of JSON. It is client and participants in one process, so that a machine of two cores has one for it and one for the sidecar.
 *
 *   load --case echo|health|begin|start|rollback|latency|enlisted|pipe-begin|pipe-owed|pipe-enlisted|get|call|serve --address A
 *        [--inflight N] [--seconds S] [--warmup S] [--connections N] [--participants ADDRESS] [--targets N] [--think MS] [--workers N --phase S]
 *        [--payload BYTES | --input FILE] [--ids random] [--batch N] [--rate N] [--count N] [--hold S] [--undo refused]
 *        [--watch PID] [--fail STATUS] [--definition NAME]
 *
 * count: it ends once so many are over. hold: how long enlisted sagas may stay; pipe-owed begins such with one step that has an undo, and leaves
 * them so. watch: of that process, the CPU that it took at most while a flow waited (max_cpu_ms). call: bare C core as a caller of N targets, which another load process serves (serve). */
#include "tests/bench/load.h"
#include "tests/bench/load_flows.h"

#include <getopt.h>
#include <unistd.h>

grpc_completion_queue *load_queue;

void load_fail(const char *what)
{
    fprintf(stderr, "load: %s failed\n", what);
    exit(1);
}

double load_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

grpc_byte_buffer *load_buffer(const void *at, size_t size)
{
    grpc_slice slice = grpc_slice_from_copied_buffer(at, size);
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return buffer;
}

uint8_t *load_bytes(grpc_byte_buffer *buffer, size_t *size)
{
    uint8_t *bytes = gpr_malloc(grpc_byte_buffer_length(buffer) + 1);
    *size = 0;
    for (size_t i = 0; i < buffer->data.raw.slice_buffer.count; i++) {
        grpc_slice slice = buffer->data.raw.slice_buffer.slices[i];
        memcpy(bytes + *size, GRPC_SLICE_START_PTR(slice), GRPC_SLICE_LENGTH(slice));
        *size += GRPC_SLICE_LENGTH(slice);
    }
    return bytes;
}

/* ---- latencies ---- */

static double *samples;
static size_t sample_count, sample_room;
static bool counting;

void load_sample(double seconds)
{
    if (!counting)
        return;
    if (sample_count == sample_room) {
        sample_room = sample_room == 0 ? 65536 : sample_room * 2;
        samples = realloc(samples, sample_room * sizeof *samples);
        if (samples == NULL)
            load_fail("memory");
    }
    samples[sample_count++] = seconds;
}

size_t load_samples(void)
{
    return sample_count;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

void load_print_latencies(void)
{
    static const double points[] = {50, 90, 99, 99.9};
    qsort(samples, sample_count, sizeof *samples, by_size);
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        size_t at = (size_t)((double)sample_count * points[i] / 100);
        double ms = sample_count == 0 ? 0 : samples[at < sample_count ? at : sample_count - 1] * 1e3;
        printf(", \"p%g_ms\": %.3f", points[i], ms);
    }
    printf(", \"max_ms\": %.3f", sample_count == 0 ? 0 : samples[sample_count - 1] * 1e3);
}

/* ---- the run ---- */

static void pump(double until, size_t count, const struct load_options *options)
{
    while (load_now() < until && sample_count < count) {
        double due = participants_turn(), left = due == 0 ? 0.05 : due - load_now();
        left = options->rate > 0 && left > 0.0005 ? 0.0005 : left;
        gpr_timespec soon = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                         gpr_time_from_micros(left < 0 ? 0 : (int64_t)(left * 1e6), GPR_TIMESPAN));
        grpc_event event = grpc_completion_queue_next(load_queue, soon, NULL);
        if (event.type == GRPC_OP_COMPLETE) {
            struct op *op = event.tag;
            op->done(op, event.success != 0);
        }
        flows_pace();
    }
}

int main(int argc, char **argv)
{
    static const struct option names[] = {
        {"case", required_argument, NULL, 'c'},
        {"address", required_argument, NULL, 'a'},
        {"inflight", required_argument, NULL, 'n'},
        {"seconds", required_argument, NULL, 's'},
        {"warmup", required_argument, NULL, 'w'},
        {"connections", required_argument, NULL, 'k'},
        {"participants", required_argument, NULL, 'p'},
        {"batch", required_argument, NULL, 'b'},
        {"rate", required_argument, NULL, 'r'},
        {"targets", required_argument, NULL, 't'},
        {"think", required_argument, NULL, 'i'},
        {"workers", required_argument, NULL, 'W'},
        {"phase", required_argument, NULL, 'P'},
        {"payload", required_argument, NULL, 'l'},
        {"input", required_argument, NULL, 'I'},
        {"ids", required_argument, NULL, 'd'},
        {"count", required_argument, NULL, 'o'},
        {"hold", required_argument, NULL, 'h'},
        {"undo", required_argument, NULL, 'u'},
        {"watch", required_argument, NULL, 'x'},
        {"fail", required_argument, NULL, 'f'},
        {"definition", required_argument, NULL, 'D'},
        {NULL, 0, NULL, 0},
    };
    struct load_options o = {.which = "echo",
                             .inflight = 64,
                             .connections = 4,
                             .batch = 16,
                             .targets = 1,
                             .payload_bytes = 300,
                             .hold_s = 3600};
    double seconds = 3, warmup = 0.5;
    size_t count = SIZE_MAX;
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (c) {
        case 'c':
            o.which = optarg;
            break;
        case 'a':
            o.address = optarg;
            break;
        case 'n':
            o.inflight = atoi(optarg);
            break;
        case 's':
            seconds = atof(optarg);
            break;
        case 'w':
            warmup = atof(optarg);
            break;
        case 'k':
            o.connections = atoi(optarg);
            break;
        case 'p':
            o.participants = optarg;
            break;
        case 'b':
            o.batch = atoi(optarg);
            break;
        case 't':
            o.targets = atoi(optarg);
            break;
        case 'i':
            o.think_s = atof(optarg) / 1e3;
            break;
        case 'W':
            o.workers = atoi(optarg);
            break;
        case 'P':
            o.phase_s = atof(optarg);
            break;
        case 'l':
            o.payload_bytes = atoi(optarg);
            break;
        case 'I':
            o.input = optarg;
            break;
        case 'd':
            o.random_ids = strcmp(optarg, "random") == 0;
            break;
        case 'o':
            count = (size_t)atoll(optarg);
            break;
        case 'h':
            o.hold_s = atoi(optarg);
            break;
        case 'x':
            if (clock_getcpuclockid(atoi(optarg), &o.watched) != 0)
                load_fail("the process to watch");
            break;
        case 'f':
            o.fail = atoi(optarg);
            break;
        case 'D':
            o.definition = optarg;
            break;
        case 'u':
            o.refuse_undo = strcmp(optarg, "refused") == 0;
            break;
        case 'r':
            o.rate = atof(optarg);
            break;
        default:
            return 2;
        }
    }
    if (o.address == NULL || o.inflight < 1 || o.batch < 1 || o.targets < 1 || o.payload_bytes < 0 ||
        o.payload_bytes > 1 << 20)
        return 2;
    grpc_init();
    load_queue = grpc_completion_queue_create_for_next(NULL);
    calls_open(o.address, o.connections, strcmp(o.which, "call") == 0 ? o.targets : 1);
    flows_open(&o);
    pump(load_now() + warmup, count, &o);
    counting = true;
    double start = load_now();
    printf("{\"case\": \"%s\", \"inflight\": %d", o.which, o.inflight);
    fprintf(stderr, "counting\n"); /* the bench reads the server's CPU time here and at the end */
    pump(start + seconds, count, &o);
    double took = load_now() - start;
    counting = false;
    fprintf(stderr, "counted\n");
    /* What is left half done would be tried again in the middle of the next run against the same server. */
    flows_stop();
    for (double patience = load_now() + 5; !flows_over() && load_now() < patience;)
        pump(load_now() + 0.01, SIZE_MAX, &o);
    printf(", \"count\": %zu, \"seconds\": %.3f, \"rate\": %.1f", load_samples(), took, (double)load_samples() / took);
    load_print_latencies();
    printf(", \"max_cpu_ms\": %.3f", flows_worst_cpu() * 1e3);
    printf(", \"calls\": %zu, \"calls_peak\": %zu, \"calls_span\": %.3f", participants_calls(), participants_peak(),
           participants_span());
    participants_print_phases();
    printf(", \"failed\": %zu}\n", flows_failed());
    fflush(stdout);
    _exit(0);
}
