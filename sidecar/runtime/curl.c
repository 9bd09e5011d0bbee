/* curl.c - finding libcurl's functions by their names. */
#include "sidecar/runtime/curl.h"

#include <dlfcn.h>

/* Its name has the number of its interface, which the headers that this is compiled with have, too. */
#define LIBRARY "libcurl.so.4"

static int fail(struct error_detail *detail)
{
    error_set(detail, E_SYSTEM, "remediation", "a rule pages somebody, and libcurl cannot be loaded: ");
    error_append(detail, dlerror());
    return E_SYSTEM;
}

int curl_load(struct curl *out, struct error_detail *detail)
{
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        return fail(detail);
#define CURL_FIND(name) \
    if ((*(void **)&out->name = dlsym(library, "curl_" #name)) == NULL) \
        return fail(detail);
    CURL_FUNCTIONS(CURL_FIND)
#undef CURL_FIND
    return 0;
}
