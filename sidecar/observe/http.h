/* http.h - what watches the sidecar over HTTP: /metrics, /livez, /readyz. Nothing that changes state. A thread of its own serves it. */
#ifndef SAGA_OBSERVE_HTTP_H
#define SAGA_OBSERVE_HTTP_H

#include "sidecar/base/error.h"
#include "sidecar/observe/panel.h"

struct http;

/* Listens at HOST:PORT (numbers; port 0 takes a free one) and serves from now on what is on the panel (borrowed): until that has loops nothing is
 * ready, since the journal is being read. Gives *out and *port. Returns 0, E_SYSTEM with the reason in words, or E_MEMORY. */
int http_open(const char *address, struct panel *panel, struct http **out, int *port, struct error_detail *detail);

/* Accepts NULL. The panel is not touched afterwards. */
void http_close(struct http *h);

#endif
