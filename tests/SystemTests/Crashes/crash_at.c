/*
 * Ends a program at a chosen one of the calls by which it changes files: load it with LD_PRELOAD.
 *
 * Counted are successful openings that create or empty a file, writes, truncations, syncs, renames, links, removals and new folders, on paths below
 * one folder. Calls that the program makes without the C library are not seen; zfs-server makes none that change files.
 *
 *   ZSM_CRASH_FOLDER  counts only below this folder (an absolute path, without links in it)
 *   ZSM_CRASH_MARK    counts only once this file is there; without it from the start
 *   ZSM_CRASH_AT      the call at which something happens, from 1; 0: none, all calls are only noted
 *   ZSM_CRASH_WHEN    before, after: SIGKILL then; torn: half of a write is done, then SIGKILL; fail: this one call fails with ENOSPC;
 *                     full: this one and all that follow do, but for removals; tight: those up to the first removal do, which makes room
 *   ZSM_CRASH_LOG     notes a line for each call: number, name, path, second path, inode, size before, offset, length, result; by tabs.
 *                     The length of a renaming is 1 where it replaces a file
 *
 * SQLite's "-shm" files are left out: they are memory that has a name, and are made anew after a crash.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum moment { PASS, UNCOUNTED, BEFORE, AFTER, TORN, FAIL };

struct call {
    const char *name;
    char path[PATH_MAX];
    char other[PATH_MAX];
    long long inode, size, offset, length;
    long number;
};

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER; /* so that the log's order is the order of the effects */
static long calls;
static int counting;

static const char *setting(const char *name) {
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static int is_counted_path(const char *path) {
    static const char memory[] = "-shm";
    const char *folder = setting("ZSM_CRASH_FOLDER");
    size_t whole = strlen(path), part = folder ? strlen(folder) : 0;
    if (!folder || strncmp(path, folder, part) != 0 || (path[part] != '/' && path[part] != 0)) return 0;
    return whole < sizeof memory || strcmp(path + whole - (sizeof memory - 1), memory) != 0;
}

static int has_begun(void) {
    const char *mark = setting("ZSM_CRASH_MARK");
    if (!counting && (!mark || access(mark, F_OK) == 0)) counting = 1;
    return counting;
}

static void set_path(char *to, const char *path) {
    char folder[PATH_MAX];
    if (path[0] == '/' || !getcwd(folder, sizeof folder)) snprintf(to, PATH_MAX, "%s", path);
    else if (snprintf(to, PATH_MAX, "%s/%s", folder, path) >= PATH_MAX) to[0] = 0;
}

static void look(struct call *call, const struct stat *file) {
    call->inode = (long long)file->st_ino;
    call->size = (long long)file->st_size;
}

/* A call on an open file: fills in which one. */
static int of_file(struct call *call, const char *name, int fd, long long offset, long long length) {
    char link[64];
    struct stat file;
    int error = errno;
    memset(call, 0, sizeof *call);
    call->name = name;
    call->offset = offset;
    call->length = length;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t count = readlink(link, call->path, sizeof call->path - 1);
    int found = count > 0 && call->path[0] == '/' && fstat(fd, &file) == 0 && (S_ISREG(file.st_mode) || S_ISDIR(file.st_mode));
    if (found) look(call, &file);
    errno = error;
    return found;
}

static int of_path(struct call *call, const char *name, const char *path, const char *other) {
    struct stat file;
    int error = errno;
    memset(call, 0, sizeof *call);
    call->name = name;
    set_path(call->path, path);
    if (other) set_path(call->other, other);
    if (lstat(path, &file) == 0) look(call, &file);
    if (other && access(other, F_OK) == 0) call->length = 1;
    errno = error;
    return 1;
}

/* Syncs fail as well: file systems that give out space late find only then that there is none. */
static int is_full(void) {
    const char *when = setting("ZSM_CRASH_WHEN");
    return when && (strcmp(when, "full") == 0 || strcmp(when, "tight") == 0);
}

/* Whether the disk has room again since something was removed from it. */
static int has_room(const struct call *call) {
    static int room;
    const char *when = setting("ZSM_CRASH_WHEN");
    if (when && strcmp(when, "tight") == 0 && strcmp(call->name, "unlink") == 0) room = 1;
    return room || strcmp(call->name, "unlink") == 0;
}

static enum moment moment_of_choice(void) {
    const char *when = setting("ZSM_CRASH_WHEN");
    if (!when || strcmp(when, "before") == 0) return BEFORE;
    if (strcmp(when, "after") == 0) return AFTER;
    if (strcmp(when, "torn") == 0) return TORN;
    if (strcmp(when, "fail") == 0 || is_full()) return FAIL;
    _exit(125);
}

static void note(const struct call *call, const char *result) {
    static int log = -1;
    char line[2 * PATH_MAX + 256];
    const char *path = setting("ZSM_CRASH_LOG");
    if (!path) return;
    if (log < 0) log = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int length = snprintf(line, sizeof line, "%ld\t%s\t%s\t%s\t%lld\t%lld\t%lld\t%lld\t%s\n", call->number, call->name, call->path, call->other, call->inode, call->size,
                          call->offset, call->length, result);
    if (syscall(SYS_write, log, line, (size_t)length) != length) _exit(125);
}

static void die(const struct call *call, const char *how) {
    note(call, how);
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* Numbers the call and holds every other one up until it is over; says what is to happen. */
static enum moment enter(struct call *call, int is_known) {
    int error = errno;
    int counted = is_known && (is_counted_path(call->path) || (call->other[0] && is_counted_path(call->other)));
    if (counted) {
        pthread_mutex_lock(&one_at_a_time);
        if (!has_begun()) {
            pthread_mutex_unlock(&one_at_a_time);
            counted = 0;
        }
    }
    errno = error;
    if (!counted) return UNCOUNTED;
    call->number = ++calls;
    const char *at = setting("ZSM_CRASH_AT");
    int is_there = at && atol(at) > 0 && (is_full() ? call->number >= atol(at) && !has_room(call) : call->number == atol(at));
    enum moment moment = is_there ? moment_of_choice() : PASS;
    if (moment == BEFORE) die(call, "killed-before");
    return moment;
}

static long leave(const struct call *call, enum moment moment, long result) {
    int error = errno;
    char text[64];
    if (moment == AFTER) die(call, result < 0 ? "failed-and-killed" : "killed-after");
    if (result < 0) snprintf(text, sizeof text, "failed-%d", error);
    else snprintf(text, sizeof text, "%ld", result);
    note(call, text);
    pthread_mutex_unlock(&one_at_a_time);
    errno = error;
    return result;
}

static long no_space(void) {
    errno = ENOSPC;
    return -1;
}

/* IS_KNOWN fills in the call, WHOLE makes it, HALF makes half of it. */
#define RUN(type, is_known, whole, half)                          \
    do {                                                          \
        enum moment moment = enter(&call, is_known);              \
        if (moment == UNCOUNTED) return (type)(whole);            \
        if (moment == TORN) {                                     \
            long written = (long)(half);                          \
            die(&call, written < 0 ? "failed-torn" : "torn");     \
        }                                                         \
        return (type)leave(&call, moment, moment == FAIL ? no_space() : (long)(whole)); \
    } while (0)

static int open_any(int at, const char *path, int flags, mode_t mode) {
    struct call call;
    int is_new = (flags & O_CREAT) && faccessat(at, path, F_OK, AT_SYMLINK_NOFOLLOW) != 0;
    int empties = !is_new && (flags & O_TRUNC);
    if ((!is_new && !empties) || (at != AT_FDCWD && path[0] != '/')) return (int)syscall(SYS_openat, at, path, flags, mode);
    RUN(int, of_path(&call, is_new ? "create" : "empty", path, NULL), syscall(SYS_openat, at, path, flags, mode), 0);
}

#define OPEN(name)                                     \
    int name(const char *path, int flags, ...) {       \
        va_list rest;                                  \
        va_start(rest, flags);                         \
        mode_t mode = (flags & O_CREAT) ? va_arg(rest, mode_t) : 0; \
        va_end(rest);                                  \
        return open_any(AT_FDCWD, path, flags, mode);  \
    }
OPEN(open)
OPEN(open64)

ssize_t write(int fd, const void *bytes, size_t count) {
    struct call call;
    RUN(ssize_t, of_file(&call, "write", fd, lseek(fd, 0, SEEK_CUR), (long long)count), syscall(SYS_write, fd, bytes, count), syscall(SYS_write, fd, bytes, count / 2));
}

#define PWRITE(name)                                                                                                            \
    ssize_t name(int fd, const void *bytes, size_t count, off_t offset) {                                                       \
        struct call call;                                                                                                       \
        RUN(ssize_t, of_file(&call, "write", fd, offset, (long long)count), syscall(SYS_pwrite64, fd, bytes, count, offset),    \
            syscall(SYS_pwrite64, fd, bytes, count / 2, offset));                                                               \
    }
PWRITE(pwrite)
PWRITE(pwrite64)

static long long total(const struct iovec *parts, int count) {
    long long sum = 0;
    for (int i = 0; i < count; i++) sum += (long long)parts[i].iov_len;
    return sum;
}

/* Half of a gathered write is the first half of its parts. */
#define PWRITEV(name)                                                                                                                       \
    ssize_t name(int fd, const struct iovec *parts, int count, off_t offset) {                                                              \
        struct call call;                                                                                                                   \
        RUN(ssize_t, of_file(&call, "write", fd, offset, total(parts, count)), syscall(SYS_pwritev, fd, parts, count, (long)offset, 0L),    \
            syscall(SYS_pwritev, fd, parts, count / 2, (long)offset, 0L));                                                                  \
    }
PWRITEV(pwritev)
PWRITEV(pwritev64)

int fsync(int fd) {
    struct call call;
    RUN(int, of_file(&call, "sync", fd, 0, 0), syscall(SYS_fsync, fd), 0);
}

int fdatasync(int fd) {
    struct call call;
    RUN(int, of_file(&call, "sync", fd, 0, 0), syscall(SYS_fdatasync, fd), 0);
}

#define TRUNCATE(name)                                                                            \
    int name(int fd, off_t length) {                                                              \
        struct call call;                                                                         \
        RUN(int, of_file(&call, "truncate", fd, 0, length), syscall(SYS_ftruncate, fd, length), 0); \
    }
TRUNCATE(ftruncate)
TRUNCATE(ftruncate64)

int rename(const char *from, const char *to) {
    struct call call;
    RUN(int, of_path(&call, "rename", from, to), syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0), 0);
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags) {
    struct call call;
    RUN(int, of_path(&call, "rename", from, to), syscall(SYS_renameat2, from_folder, from, to_folder, to, flags), 0);
}

int link(const char *from, const char *to) {
    struct call call;
    RUN(int, of_path(&call, "link", from, to), syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0), 0);
}

int unlink(const char *path) {
    struct call call;
    RUN(int, of_path(&call, "unlink", path, NULL), syscall(SYS_unlinkat, AT_FDCWD, path, 0), 0);
}

int rmdir(const char *path) {
    struct call call;
    RUN(int, of_path(&call, "unlink", path, NULL), syscall(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR), 0);
}

int mkdir(const char *path, mode_t mode) {
    struct call call;
    RUN(int, of_path(&call, "mkdir", path, NULL), syscall(SYS_mkdirat, AT_FDCWD, path, mode), 0);
}

/*
 * .NET finds the functions of a [LibraryImport("libc")] in the C library itself, past what is loaded before it; it asks dlsym, so that it is here that
 * it gets the counting ones.
 */
#define COUNTED(function) { #function, (void *)function }

void *dlsym(void *library, const char *name) {
    static const struct { const char *name; void *function; } counted[] = {
        COUNTED(open), COUNTED(open64), COUNTED(write), COUNTED(pwrite), COUNTED(pwrite64), COUNTED(pwritev), COUNTED(pwritev64), COUNTED(fsync),
        COUNTED(fdatasync), COUNTED(ftruncate), COUNTED(ftruncate64), COUNTED(rename), COUNTED(renameat2), COUNTED(link), COUNTED(unlink),
        COUNTED(rmdir), COUNTED(mkdir),
    };
    static const char *versions[] = { "GLIBC_2.34", "GLIBC_2.17", "GLIBC_2.2.5" };
    static void *(*real)(void *, const char *);
    for (size_t i = 0; i < sizeof counted / sizeof *counted; i++) {
        if (strcmp(name, counted[i].name) == 0) return counted[i].function;
    }
    for (size_t i = 0; !real && i < sizeof versions / sizeof *versions; i++) {
        *(void **)&real = dlvsym(RTLD_NEXT, "dlsym", versions[i]);
    }
    if (!real) _exit(125);
    return real(library, name);
}
