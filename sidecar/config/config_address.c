/* config_address.c - the form of addresses. Nothing is resolved here: what a name stands for may change while the
 * sidecar runs. */
#include "sidecar/config/config_address.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/un.h>

#define HOST_BYTES_MAX 253 /* of a name in the DNS */

static const char no_port[] = "names no port; write host:port";

static bool begins_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

static const char *check_unix(const char *path)
{
    if (path[0] == '\0')
        return "names no path; write unix:/path/to/the.sock";
    if (strlen(path) >= sizeof((struct sockaddr_un *)0)->sun_path)
        return "is too long for a unix socket, whose path has at most 107 bytes; name a shorter one in listen";
    return NULL;
}

/* Splits "host:port" or "[host]:port". Returns NULL, or what is wrong. */
static const char *split(const char *address, char host[HOST_BYTES_MAX + 1], bool *bracketed, unsigned long *port)
{
    *bracketed = address[0] == '[';
    const char *start = address + *bracketed;
    const char *end = *bracketed ? strchr(start, ']') : strrchr(start, ':');
    if (end == NULL)
        return no_port;
    const char *colon = end + *bracketed;
    size_t size = (size_t)(end - start);
    if (*colon != ':' || colon[1] == '\0' || strspn(colon + 1, "0123456789") != strlen(colon + 1))
        return no_port;
    if (size == 0)
        return "names no host; write host:port";
    if (size > HOST_BYTES_MAX)
        return "names a host of more than 253 bytes";
    if (!*bracketed && memchr(start, ':', size) != NULL)
        return "has an IPv6 address without brackets; write [::1]:port";
    *port = 0;
    for (const char *digit = colon + 1; *digit != '\0' && *port <= UINT16_MAX; digit++)
        *port = *port * 10 + (unsigned long)(*digit - '0');
    if (*port > UINT16_MAX)
        return "names a port above 65535";
    memcpy(host, start, size);
    host[size] = '\0';
    return NULL;
}

static bool is_loopback(const char *host, bool bracketed)
{
    struct in_addr four;
    struct in6_addr six;
    if (bracketed)
        return inet_pton(AF_INET6, host, &six) == 1 && memcmp(&six, &in6addr_loopback, sizeof six) == 0;
    return strcmp(host, "localhost") == 0 || (inet_pton(AF_INET, host, &four) == 1 && ntohl(four.s_addr) >> 24 == 127);
}

const char *address_check_listen(const char *address)
{
    char host[HOST_BYTES_MAX + 1];
    bool bracketed;
    unsigned long port;
    if (begins_with(address, "unix:"))
        return check_unix(address + strlen("unix:"));
    const char *wrong = split(address, host, &bracketed, &port);
    if (wrong != NULL)
        return wrong;
    return is_loopback(host, bracketed) ? NULL
                                        : "is neither a unix socket nor loopback; TLS and authorization are not there "
                                          "yet, so that nobody else may be "
                                          "let in: write unix:/path, 127.0.0.1:port or [::1]:port";
}

const char *address_check_target(const char *address)
{
    char host[HOST_BYTES_MAX + 1];
    bool bracketed;
    unsigned long port;
    if (begins_with(address, "unix:"))
        return check_unix(address + strlen("unix:"));
    /* dns:host:port and dns://authority/host:port are the two forms of the DNS scheme. */
    if (begins_with(address, "dns://")) {
        address = strchr(address + strlen("dns://"), '/');
        if (address == NULL)
            return "names no host; write dns:///host:port";
        address++;
    } else if (begins_with(address, "dns:")) {
        address += strlen("dns:");
    } else if (begins_with(address, "ipv4:") || begins_with(address, "ipv6:")) {
        address += strlen("ipv4:");
    }
    if (strpbrk(address, "/ ") != NULL)
        return "is not an address as gRPC names it; write dns:///host:port, host:port or unix:/path";
    const char *wrong = split(address, host, &bracketed, &port);
    return wrong == NULL && port == 0 ? "names port 0, where nobody can be called" : wrong;
}
