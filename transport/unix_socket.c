/* unix_socket.c - whether a socket file is somebody's. */
#include "transport/unix_socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int unix_socket_knock(const char *path)
{
    struct sockaddr_un where = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return errno;
    memcpy(where.sun_path, path, strlen(path) + 1);
    int error = connect(fd, (const struct sockaddr *)&where, sizeof where) == 0 || errno == EAGAIN ? 0 : errno;
    close(fd);
    return error;
}
