/* unix_socket.h - socket files. */
#ifndef SAGA_TRANSPORT_UNIX_SOCKET_H
#define SAGA_TRANSPORT_UNIX_SOCKET_H

/* Connects to the socket file at path, which has at most ADDRESS_PATH_BYTES_MAX bytes. Returns 0 when somebody listens there, were it with a
 * full backlog; otherwise errno: ECONNREFUSED is a file that a dead process has left. */
int unix_socket_knock(const char *path);

#endif
