/* curl.h - libcurl, loaded when somebody is to be paged: it and the libraries that it brings are 0.6 MB, which an idle sidecar would carry
 * for nothing. */
#ifndef SAGA_RUNTIME_CURL_H
#define SAGA_RUNTIME_CURL_H

#include "sidecar/base/error.h"

#define CURL_DISABLE_TYPECHECK /* of calls by their names, which these are not */
#include <curl/curl.h>

#define CURL_FUNCTIONS(X) \
    X(global_init) \
    X(global_cleanup) \
    X(easy_init) \
    X(easy_reset) \
    X(easy_setopt) \
    X(easy_perform) \
    X(easy_getinfo) \
    X(easy_strerror) \
    X(easy_cleanup) \
    X(slist_append) \
    X(slist_free_all)

struct curl {
#define CURL_MEMBER(name) __typeof__(curl_##name) *name;
    CURL_FUNCTIONS(CURL_MEMBER)
#undef CURL_MEMBER
};

/* Fills *out, whose functions stay until the process ends. Returns 0, or E_SYSTEM with what is missing. */
int curl_load(struct curl *out, struct error_detail *detail);

#endif
