/* address.c - one form of addresses for everybody who writes, reads or shows them. */
#include "transport/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

_Static_assert(ADDRESS_PATH_BYTES_MAX + 1 == sizeof((struct sockaddr_un *)0)->sun_path,
               "the bound of a path is the system's");

static const char no_port[] = "names no port; write host:port";

static bool begins_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

static const char *read_path(const char *path, struct address *out)
{
    if (path[0] == '\0')
        return "names no path; write unix:/path/to/the.sock";
    if (strlen(path) > ADDRESS_PATH_BYTES_MAX)
        return "is too long for a unix socket, whose path has at most 107 bytes; name a shorter one";
    out->path = path;
    return NULL;
}

/* Splits "host:port" or "[host]:port". */
static const char *read_host(const char *text, struct address *out)
{
    out->bracketed = text[0] == '[';
    const char *start = text + out->bracketed;
    const char *end = out->bracketed ? strchr(start, ']') : strrchr(start, ':');
    if (end == NULL)
        return no_port;
    const char *colon = end + out->bracketed;
    size_t size = (size_t)(end - start);
    if (*colon != ':' || colon[1] == '\0' || strspn(colon + 1, "0123456789") != strlen(colon + 1))
        return no_port;
    if (size == 0)
        return "names no host; write host:port";
    if (size > ADDRESS_HOST_BYTES_MAX)
        return "names a host of more than 253 bytes";
    if (!out->bracketed && memchr(start, ':', size) != NULL)
        return "has an IPv6 address without brackets; write [::1]:port";
    unsigned long port = 0;
    for (const char *digit = colon + 1; *digit != '\0' && port <= UINT16_MAX; digit++)
        port = port * 10 + (unsigned long)(*digit - '0');
    if (port > UINT16_MAX)
        return "names a port above 65535";
    out->port = (uint16_t)port;
    memcpy(out->host, start, size);
    out->host[size] = '\0';
    return NULL;
}

/* Takes "tls://" or "plaintext://" off. */
static const char *read_security(const char *text, struct address *out)
{
    static const char tls[] = "tls://", plaintext[] = "plaintext://";
    memset(out, 0, sizeof *out);
    if (begins_with(text, tls)) {
        out->security = ADDRESS_TLS;
        return text + strlen(tls);
    }
    if (begins_with(text, plaintext)) {
        out->security = ADDRESS_PLAINTEXT;
        return text + strlen(plaintext);
    }
    return text;
}

const char *address_read(const char *text, struct address *out)
{
    text = read_security(text, out);
    if (out->security != ADDRESS_UNSAID && begins_with(text, "unix:"))
        return "is a unix socket, which is never encrypted; write unix:/path alone";
    return begins_with(text, "unix:") ? read_path(text + strlen("unix:"), out) : read_host(text, out);
}

static const char *read_one(const char *text, struct address *out)
{
    if (strpbrk(text, "/?#%, \t") != NULL)
        return "is not an address as gRPC names it; write dns:///host:port, host:port or unix:/path";
    const char *wrong = read_host(text, out);
    return wrong == NULL && out->port == 0 ? "names port 0, where nobody can be called" : wrong;
}

/* Reads the first of "host:port,host:port,...", and views the others. */
static const char *read_next(const char *text, struct address *out)
{
    char one[ADDRESS_HOST_BYTES_MAX + 16];
    size_t size = strcspn(text, ",");
    if (size >= sizeof one)
        return "names a host of more than 253 bytes";
    memcpy(one, text, size);
    one[size] = '\0';
    out->others = text[size] == ',' ? text + size + 1 : NULL;
    return read_one(one, out);
}

static const char *read_list(const char *text, struct address *out)
{
    const char *wrong = read_next(text, out);
    bool several = out->others != NULL;
    for (struct address at = *out; wrong == NULL && several; wrong = read_next(at.others, &at)) {
        if (!address_is_number(&at))
            return "names several hosts, which must be in numbers; write dns:///host:port for a name";
        if (at.others == NULL)
            return NULL;
    }
    return wrong;
}

bool address_next(struct address *address)
{
    return address->others != NULL && read_next(address->others, address) == NULL;
}

const char *address_read_target(const char *text, struct address *out)
{
    text = read_security(text, out);
    if (out->security != ADDRESS_UNSAID && begins_with(text, "unix:"))
        return "is a unix socket, which is never encrypted; write unix:/path alone";
    if (begins_with(text, "unix:///"))
        return read_path(text + strlen("unix://"), out);
    if (begins_with(text, "unix:"))
        return read_path(text + strlen("unix:"), out);
    if (begins_with(text, "dns://")) {
        const char *authority = text + strlen("dns://");
        text = strchr(authority, '/');
        if (text == NULL)
            return "names no host; write dns:///host:port";
        out->authority = text > authority ? authority : NULL;
        out->authority_size = (size_t)(text - authority);
        text++;
    } else if (begins_with(text, "dns:")) {
        text += strlen("dns:");
    } else if (begins_with(text, "ipv4:") || begins_with(text, "ipv6:")) {
        return read_list(text + strlen("ipv4:"), out);
    }
    return read_one(text, out);
}

bool address_is_number(const struct address *address)
{
    struct in_addr four;
    struct in6_addr six;
    return address->bracketed ? inet_pton(AF_INET6, address->host, &six) == 1
                              : inet_pton(AF_INET, address->host, &four) == 1;
}

static bool one_is_near(const struct address *address)
{
    struct in_addr four;
    struct in6_addr six;
    if (address->path != NULL)
        return true;
    if (address->bracketed)
        return inet_pton(AF_INET6, address->host, &six) == 1 && memcmp(&six, &in6addr_loopback, sizeof six) == 0;
    return strcmp(address->host, "localhost") == 0 ||
           (inet_pton(AF_INET, address->host, &four) == 1 && ntohl(four.s_addr) >> 24 == 127);
}

bool address_is_near(const struct address *address)
{
    struct address at = *address;
    bool near = one_is_near(&at);
    while (near && address_next(&at))
        near = one_is_near(&at);
    return near;
}

enum address_security address_security_of(const struct address *address, bool has_certificates)
{
    if (address->security != ADDRESS_UNSAID)
        return address->security;
    if (address_is_near(address))
        return ADDRESS_PLAINTEXT;
    return has_certificates ? ADDRESS_TLS : ADDRESS_UNSAID;
}

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("/-._~", c) != NULL;
}

/* Appends text with everything but the plainest characters percent-encoded, since C core reads a name as a URI. */
static bool append_path(char name[ADDRESS_NAME_SIZE], const char *text)
{
    size_t used = strlen(name);
    for (; *text != '\0'; text++) {
        if (used + 4 > ADDRESS_NAME_SIZE)
            return false;
        if (is_plain(*text))
            name[used++] = *text;
        else
            used += (size_t)snprintf(name + used, 4, "%%%02X", (unsigned)(unsigned char)*text);
        name[used] = '\0';
    }
    return true;
}

static bool path_name(const char *path, char name[ADDRESS_NAME_SIZE])
{
    char directory[ADDRESS_NAME_SIZE];
    strcpy(name, "unix://");
    if (path[0] == '/')
        return append_path(name, path);
    if (getcwd(directory, sizeof directory) != NULL && strlen(directory) + 1 + strlen(path) <= ADDRESS_PATH_BYTES_MAX)
        return append_path(name, directory) && append_path(name, "/") && append_path(name, path);
    strcpy(name, "unix:");
    return append_path(name, path);
}

bool address_target_name(const struct address *address, char name[ADDRESS_NAME_SIZE])
{
    if (address->path != NULL)
        return path_name(address->path, name);
    int size = snprintf(name, ADDRESS_NAME_SIZE, address->bracketed ? "dns://%.*s/[%s]:%u" : "dns://%.*s/%s:%u",
                        (int)address->authority_size, address->authority == NULL ? "" : address->authority,
                        address->host, (unsigned)address->port);
    return size > 0 && size < ADDRESS_NAME_SIZE;
}
