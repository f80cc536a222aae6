// Runs a User-Mode Linux kernel in the background, with a network of its own by libslirp, as qemu's "-netdev user"
// has it: no interface of the host, and no rights. The guest is 10.0.2.15 and this machine 10.0.2.2; forwarded ports
// listen on 127.0.0.1. All processes of the kernel are in a PID namespace: when its first one ends, all end.
//
// usage: uml-run --pid FILE --console FILE [--forward HOSTPORT:GUESTPORT]... -- KERNEL ARGUMENT...
// FILE gets the pid of the namespace's first process, and is removed when that has ended.
// Returns once the kernel has been started; 3 if a port is taken.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libslirp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KERNEL_NETWORK 3 // the number that the kernel's command line names
#define MTU 1500
#define MOST_FORWARDS 32
#define FRAMES_AT_ONCE 64

struct timer {
    SlirpTimerCb call;
    void *opaque;
    int64_t at; // milliseconds; -1: not set
    struct timer *next;
};

static int network; // one frame in each packet
static struct timer *timers;
static struct pollfd *polls;
static size_t poll_count, poll_room;

static void fail(const char *what) {
    fprintf(stderr, "uml-run: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t nanoseconds(void *opaque) {
    (void)opaque;
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static int64_t milliseconds(void) { return nanoseconds(NULL) / 1000000; }

// A full socket is waited for, a little: TCP pays much more for a frame that is dropped.
static ssize_t send_to_guest(const void *frame, size_t length, void *opaque) {
    (void)opaque;
    for (int tries = 0; tries < 20; tries++) {
        ssize_t sent = send(network, frame, length, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent >= 0 || (errno != EAGAIN && errno != ENOBUFS && errno != EINTR))
            break;
        struct pollfd wait = {network, POLLOUT, 0};
        poll(&wait, 1, 10);
    }
    return length;
}

static void report_error(const char *message, void *opaque) {
    (void)opaque;
    fprintf(stderr, "uml-run: %s\n", message);
}

static void *add_timer(SlirpTimerCb call, void *timer_opaque, void *opaque) {
    (void)opaque;
    struct timer *timer = malloc(sizeof *timer);
    if (!timer)
        fail("malloc");
    *timer = (struct timer){call, timer_opaque, -1, timers};
    return timers = timer;
}

static void free_timer(void *gone, void *opaque) {
    (void)opaque;
    for (struct timer **at = &timers; *at; at = &(*at)->next)
        if (*at == gone) {
            *at = (*at)->next;
            free(gone);
            return;
        }
}

static void set_timer(void *timer, int64_t at, void *opaque) {
    (void)opaque;
    ((struct timer *)timer)->at = at;
}

static void ignore_fd(int fd, void *opaque) {
    (void)fd;
    (void)opaque;
}

static void ignore(void *opaque) { (void)opaque; }

static int add_poll(int fd, int events, void *opaque) {
    (void)opaque;
    if (poll_count == poll_room) {
        polls = realloc(polls, (poll_room = poll_room * 2 + 16) * sizeof *polls);
        if (!polls)
            fail("realloc");
    }
    short wanted = (events & SLIRP_POLL_IN ? POLLIN : 0) | (events & SLIRP_POLL_OUT ? POLLOUT : 0) |
        (events & SLIRP_POLL_PRI ? POLLPRI : 0);
    polls[poll_count] = (struct pollfd){fd, wanted, 0};
    return poll_count++;
}

static int events_of(int index, void *opaque) {
    (void)opaque;
    int events = polls[index].revents;
    return (events & POLLIN ? SLIRP_POLL_IN : 0) | (events & POLLOUT ? SLIRP_POLL_OUT : 0) |
        (events & POLLPRI ? SLIRP_POLL_PRI : 0) | (events & POLLERR ? SLIRP_POLL_ERR : 0) |
        (events & POLLHUP ? SLIRP_POLL_HUP : 0);
}

// The first process of the namespace only waits: it gets no signal from inside that it does not handle, and a kernel
// that panics ends by SIGABRT.
static void wait_for_kernel(pid_t kernel) {
    int status;
    pid_t ended;
    while ((ended = wait(&status)) != kernel)
        if (ended < 0 && errno != EINTR)
            _exit(1);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static void become_kernel(char **command, const char *console, int guest_end) {
    setsid();
    int in = open("/dev/null", O_RDONLY);
    int out = open(console, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    if (in < 0 || out < 0)
        fail(console);
    // Out of the way of the numbers that they get.
    in = fcntl(in, F_DUPFD, 10);
    out = fcntl(out, F_DUPFD, 10);
    guest_end = fcntl(guest_end, F_DUPFD, 10);
    if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0 || dup2(guest_end, KERNEL_NETWORK) < 0)
        fail("dup2");
    close_range(KERNEL_NETWORK + 1, ~0U, 0);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execv(command[0], command);
    fail(command[0]);
}

// Returns the pid of the namespace's first process.
static pid_t start(char **command, const char *console, int guest_end) {
    if (unshare(CLONE_NEWPID | (geteuid() ? CLONE_NEWUSER : 0)))
        fail("unshare");
    pid_t first = fork();
    if (first < 0)
        fail("fork");
    if (first)
        return first;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    pid_t kernel = fork();
    if (kernel < 0)
        fail("fork");
    if (!kernel)
        become_kernel(command, console, guest_end);
    close(guest_end);
    close(network);
    wait_for_kernel(kernel);
    return 0;
}

static Slirp *open_network(int forwards[][2], int forward_count) {
    SlirpConfig config = {.version = 4, .in_enabled = true, .if_mtu = MTU, .if_mru = MTU, .disable_dhcp = true};
    inet_aton("10.0.2.0", &config.vnetwork);
    inet_aton("255.255.255.0", &config.vnetmask);
    inet_aton("10.0.2.2", &config.vhost);
    inet_aton("10.0.2.15", &config.vdhcp_start);
    inet_aton("10.0.2.3", &config.vnameserver);
    static const SlirpCb callbacks = {
        .send_packet = send_to_guest,
        .guest_error = report_error,
        .clock_get_ns = nanoseconds,
        .timer_new = add_timer,
        .timer_free = free_timer,
        .timer_mod = set_timer,
        .register_poll_fd = ignore_fd,
        .unregister_poll_fd = ignore_fd,
        .notify = ignore,
    };
    Slirp *slirp = slirp_new(&config, &callbacks, NULL);
    struct in_addr loopback = {htonl(INADDR_LOOPBACK)};
    for (int i = 0; i < forward_count; i++)
        if (slirp_add_hostfwd(slirp, 0, loopback, forwards[i][0], config.vdhcp_start, forwards[i][1])) {
            fprintf(stderr, "uml-run: host forwarding of port %d: %s\n", forwards[i][0], strerror(errno));
            exit(3);
        }
    return slirp;
}

// The caller's process ends with 0 once this one has written to the pipe that is returned, and with 1 if it ends.
static int go_to_background(void) {
    int ends[2];
    char done;
    if (pipe2(ends, O_CLOEXEC))
        fail("pipe");
    pid_t background = fork();
    if (background < 0)
        fail("fork");
    if (background) {
        close(ends[1]);
        _exit(read(ends[0], &done, 1) == 1 ? 0 : 1);
    }
    close(ends[0]);
    setsid();
    return ends[1];
}

static void write_pid(const char *path, pid_t pid) {
    FILE *file = fopen(path, "w");
    if (!file || fprintf(file, "%d\n", pid) < 0 || fclose(file))
        fail(path);
}

static void run_timers(void) {
    for (struct timer *timer = timers; timer; timer = timer->next)
        if (timer->at >= 0 && timer->at <= milliseconds()) {
            timer->at = -1;
            timer->call(timer->opaque);
            return; // the list may have changed; the next one has its turn after the next poll
        }
}

static void pass_frames_on(Slirp *slirp) {
    static uint8_t frame[65536];
    for (int i = 0; i < FRAMES_AT_ONCE; i++) {
        ssize_t length = recv(network, frame, sizeof frame, MSG_DONTWAIT);
        if (length <= 0)
            return;
        slirp_input(slirp, frame, length);
    }
}

// Returns whether the kernel has ended.
static int has_ended(int signals, pid_t kernel) {
    struct signalfd_siginfo info;
    while (read(signals, &info, sizeof info) == sizeof info)
        if (info.ssi_signo != SIGCHLD)
            kill(kernel, SIGKILL);
    return waitpid(kernel, NULL, WNOHANG) == kernel;
}

static void serve(Slirp *slirp, int signals, pid_t kernel) {
    for (;;) {
        uint32_t timeout = 1000;
        poll_count = 0;
        add_poll(signals, SLIRP_POLL_IN, NULL);
        add_poll(network, SLIRP_POLL_IN, NULL);
        slirp_pollfds_fill(slirp, &timeout, add_poll, NULL);
        for (struct timer *timer = timers; timer; timer = timer->next) {
            int64_t left = timer->at - milliseconds();
            if (timer->at >= 0 && left < timeout)
                timeout = left > 0 ? left : 0;
        }
        int code = poll(polls, poll_count, timeout);
        if (code < 0 && errno != EINTR)
            fail("poll");
        if (code > 0 && polls[0].revents && has_ended(signals, kernel))
            return;
        if (code > 0 && polls[1].revents & POLLIN)
            pass_frames_on(slirp);
        slirp_pollfds_poll(slirp, code < 0, events_of, NULL);
        run_timers();
    }
}

int main(int argc, char **argv) {
    const char *pid_file = NULL, *console = NULL;
    int forwards[MOST_FORWARDS][2], forward_count = 0, at = 1;
    for (; at + 1 < argc && strcmp(argv[at], "--"); at += 2) {
        if (!strcmp(argv[at], "--pid"))
            pid_file = argv[at + 1];
        else if (!strcmp(argv[at], "--console"))
            console = argv[at + 1];
        else if (!strcmp(argv[at], "--forward") && forward_count < MOST_FORWARDS &&
            sscanf(argv[at + 1], "%d:%d", &forwards[forward_count][0], &forwards[forward_count][1]) == 2)
            forward_count++;
        else
            break;
    }
    if (!pid_file || !console || at + 1 >= argc || strcmp(argv[at], "--")) {
        fprintf(stderr, "usage: uml-run --pid FILE --console FILE [--forward HOST:GUEST]... -- KERNEL ARGUMENT...\n");
        return 2;
    }

    Slirp *slirp = open_network(forwards, forward_count);
    int started = go_to_background();
    int ends[2], size = 4 << 20;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
        fail("socketpair");
    for (int i = 0; i < 2; i++)
        setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    network = ends[0];
    sigset_t handled;
    sigemptyset(&handled);
    sigaddset(&handled, SIGCHLD);
    sigaddset(&handled, SIGTERM);
    sigaddset(&handled, SIGINT);
    sigprocmask(SIG_BLOCK, &handled, NULL);
    int signals = signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK);

    pid_t kernel = start(argv + at + 1, console, ends[1]);
    close(ends[1]);
    write_pid(pid_file, kernel);
    if (write(started, "", 1) != 1)
        fail("write");
    close(started);
    serve(slirp, signals, kernel);
    unlink(pid_file);
    return 0;
}
