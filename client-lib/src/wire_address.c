/* wire_address.c - addresses to target names, and the default address. */
#include "client-lib/src/wire_address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "client-lib/src/wire.h"

#define DEFAULT_SOCKET "./sagad-data/sagad.sock"
#define DEFAULT_TCP    "127.0.0.1:7240"

const char *wire_default_address(void)
{
    const char *given = getenv("SAGAD_ADDRESS");
    if (given && given[0] != '\0')
        return given;
    struct stat status;
    if (stat(DEFAULT_SOCKET, &status) == 0 && S_ISSOCK(status.st_mode))
        return "unix:" DEFAULT_SOCKET;
    return DEFAULT_TCP;
}

static int refuse(struct saga_error *error, const char *text)
{
    return saga_error_set(error, SAGA_E_INVALID_ARGUMENT, SAGA_REASON_ARGUMENT, "address", text);
}

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("/-._~", c) != NULL;
}

/* Appends text with everything but the plainest characters percent-encoded, since C core reads a target as a URI. */
static bool append_path(char target[WIRE_TARGET_SIZE], const char *text)
{
    size_t used = strlen(target);
    for (; *text != '\0'; text++) {
        if (used + 4 > WIRE_TARGET_SIZE)
            return false;
        if (is_plain(*text))
            target[used++] = *text;
        else
            used += (size_t)sprintf(target + used, "%%%02X", (unsigned)(unsigned char)*text);
        target[used] = '\0';
    }
    return true;
}

static int unix_target(const char *path, char target[WIRE_TARGET_SIZE], struct saga_error *error)
{
    char directory[WIRE_TARGET_SIZE];
    size_t path_max = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;
    bool relative = path[0] != '/';
    if (path[0] == '\0')
        return refuse(error, "unix: needs a path");
    if (strlen(path) > path_max)
        return refuse(error, "the path of a unix socket has at most 107 bytes");
    strcpy(target, "unix://");
    if (relative) {
        if (!getcwd(directory, sizeof directory) || strlen(directory) + 1 + strlen(path) > path_max) {
            strcpy(target, "unix:");
        } else if (!append_path(target, directory) || !append_path(target, "/")) {
            return refuse(error, "the path is too long");
        }
    }
    return append_path(target, path) ? SAGA_OK : refuse(error, "the path is too long");
}

int wire_address_target(const char *address, char target[WIRE_TARGET_SIZE], struct saga_error *error)
{
    if (strncmp(address, "unix:", 5) == 0)
        return unix_target(address + 5 + (strncmp(address + 5, "///", 3) == 0 ? 2 : 0), target, error);
    const char *host = address;
    if (strncmp(host, "dns:///", 7) == 0)
        host += 7;
    else if (strncmp(host, "ipv4:", 5) == 0 || strncmp(host, "ipv6:", 5) == 0)
        host += 5;
    const char *colon = strrchr(host, ':');
    if (!colon || colon == host || strlen(host) > 255 || strpbrk(host, "/?#%, \t"))
        return refuse(error, "the address must be HOST:PORT or unix:PATH");
    char *end;
    long port = strtol(colon + 1, &end, 10);
    if (colon[1] < '0' || colon[1] > '9' || *end != '\0' || port < 1 || port > 65535)
        return refuse(error, "the port must be from 1 to 65535");
    snprintf(target, WIRE_TARGET_SIZE, "dns:///%s", host);
    return SAGA_OK;
}
