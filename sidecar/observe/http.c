/* http.c - three pages for those who watch: libmicrohttpd on a thread of its own. */
#include "sidecar/observe/http.h"

#include "transport/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <stdlib.h>

/* A loop that has told nothing for so long although it was asked is not ready: its disk stalls, or the process was stopped. */
#define SILENCE SPAN_S(5)
/* Connections at once, and seconds that one may be silent: scrapers and probes are few. */
#define CONNECTIONS_MAX      32
#define CONNECTION_SECONDS   10
#define CONNECTION_BYTES     8192
#define CONNECTIONS_PER_PEER 16

struct http {
    struct MHD_Daemon *daemon;
    struct panel *panel;
};

/* ---- pages ---- */

struct page {
    FILE *out;
    char *text;
    size_t size;
    unsigned status;
    const char *type;
};

static void write_livez(struct page *page)
{
    fputs("ok\n", page->out);
}

static void write_readyz(struct http *h, struct page *page)
{
    unsigned count = panel_loops(h->panel);
    static const char *const words[] = {"it is stopping", "its journal is full", "it cannot go on",
                                        "its journal does not answer",
                                        "its journal is nearly full, and takes only what ends sagas"};
    bool ready = count > 0;
    if (count == 0)
        fputs("not ready: the journal is being read\n", page->out);
    panel_ask(h->panel);
    for (unsigned k = 0; k < count; k++) {
        const struct vitals *v = panel_loop(h->panel, k);
        uint32_t reasons = atomic_load(&v->reasons);
        struct span silent = panel_silence(v);
        for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++)
            if (reasons & 1u << i)
                fprintf(page->out, "not ready: loop %u: %s\n", k, words[i]);
        if (silent.us > SILENCE.us)
            fprintf(page->out, "not ready: loop %u: it has not turned for %" PRId64 " s (does its disk stall?)\n", k,
                    silent.us / 1000000);
        ready = ready && reasons == 0 && silent.us <= SILENCE.us;
    }
    if (ready)
        fputs("ok\n", page->out);
    page->status = ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
}

static void write_metrics(struct http *h, struct page *page, bool open)
{
    struct metrics *all[PANEL_METRICS_MAX];
    panel_ask(h->panel);
    unsigned count = panel_metrics(h->panel, all);
    if (metrics_write(all, count, open ? METRICS_OPENMETRICS : METRICS_PROMETHEUS, page->out) != 0)
        page->status = MHD_HTTP_SERVICE_UNAVAILABLE;
    if (open)
        fputs("# EOF\n", page->out);
    page->type = open ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                      : "text/plain; version=0.0.4; charset=utf-8";
}

static void write_page(struct http *h, struct MHD_Connection *connection, const char *url, struct page *page)
{
    const char *accept = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
    if (strcmp(url, "/livez") == 0) {
        write_livez(page);
    } else if (strcmp(url, "/readyz") == 0) {
        write_readyz(h, page);
    } else if (strcmp(url, "/metrics") == 0) {
        write_metrics(h, page, accept != NULL && strstr(accept, "application/openmetrics-text") != NULL);
    } else {
        page->status = MHD_HTTP_NOT_FOUND;
        fputs("there are /metrics, /livez and /readyz\n", page->out);
    }
}

static enum MHD_Result handle(void *self, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *upload, size_t *upload_size, void **state)
{
    struct page page = {.status = MHD_HTTP_OK, .type = "text/plain; charset=utf-8"};
    (void)version;
    (void)upload;
    (void)state;
    if (*upload_size > 0)
        return MHD_NO;
    page.out = open_memstream(&page.text, &page.size);
    if (page.out == NULL)
        return MHD_NO;
    bool looks = strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
    if (looks)
        write_page(self, connection, url, &page);
    else
        fputs("only GET and HEAD: nothing here changes anything\n", page.out);
    if (fclose(page.out) != 0) {
        free(page.text);
        return MHD_NO;
    }
    struct MHD_Response *response = MHD_create_response_from_buffer(page.size, page.text, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        free(page.text);
        return MHD_NO;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, page.type);
    if (!looks)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result result =
        MHD_queue_response(connection, looks ? page.status : MHD_HTTP_METHOD_NOT_ALLOWED, response);
    MHD_destroy_response(response);
    return result;
}

/* ---- its life ---- */

static bool read_address(const char *text, struct sockaddr_storage *out)
{
    struct address read;
    memset(out, 0, sizeof *out);
    if (address_read(text, &read) != NULL || read.path != NULL)
        return false;
    if (read.bracketed) {
        struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;
        six->sin6_family = AF_INET6;
        six->sin6_port = htons(read.port);
        return inet_pton(AF_INET6, read.host, &six->sin6_addr) == 1;
    }
    struct sockaddr_in *four = (struct sockaddr_in *)out;
    four->sin_family = AF_INET;
    four->sin_port = htons(read.port);
    return inet_pton(AF_INET, read.host, &four->sin_addr) == 1;
}

static int fail(struct http *h, const char *address, const char *why, struct error_detail *detail)
{
    http_close(h);
    error_set(detail, E_SYSTEM, "http_listen", "cannot listen at ");
    error_append(detail, address);
    error_append(detail, ": ");
    error_append(detail, why);
    return E_SYSTEM;
}

int http_open(const char *address, struct panel *panel, struct http **out, int *port, struct error_detail *detail)
{
    struct sockaddr_storage at;
    struct http *h = calloc(1, sizeof *h);
    if (h == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    h->panel = panel;
    if (!read_address(address, &at))
        return fail(h, address, "write it in numbers, as 127.0.0.1:9464 or [::1]:9464", detail);
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL | (at.ss_family == AF_INET6 ? MHD_USE_IPv6 : 0);
    errno = 0;
    h->daemon =
        MHD_start_daemon(flags, 0, NULL, NULL, handle, h, MHD_OPTION_SOCK_ADDR, &at, MHD_OPTION_CONNECTION_LIMIT,
                         (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)CONNECTION_SECONDS,
                         MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
                         MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)CONNECTIONS_PER_PEER, MHD_OPTION_END);
    if (h->daemon == NULL)
        return fail(h, address, errno != 0 ? strerror(errno) : "the address is taken, or cannot be used", detail);
    *port = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    *out = h;
    return 0;
}

void http_close(struct http *h)
{
    if (h == NULL)
        return;
    if (h->daemon != NULL)
        MHD_stop_daemon(h->daemon);
    free(h);
}
