/* Loaded into a program with LD_PRELOAD, it refuses IPv6 sockets, as a kernel with ipv6.disable=1 or systemd's RestrictAddressFamilies do. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int socket(int domain, int type, int protocol)
{
    if (domain == AF_INET6) {
        errno = EAFNOSUPPORT;
        return -1;
    }
    return (int)syscall(SYS_socket, domain, type, protocol);
}
