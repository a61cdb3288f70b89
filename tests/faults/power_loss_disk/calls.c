/*
 * A disk that forgets what was not synced, preloaded into the broker.
 *
 * Files below POWER_LOSS_ROOT are written as ever. Beside them, below
 * POWER_LOSS_DISK, is what a disk would have after a power cut: nothing of a file
 * reaches it but by fsync or fdatasync of the file, and no rename or unlink but by
 * fsync of the folder. Whoever kills the process puts the second in the place of
 * the first, and has what a machine would find when its power is back, had it
 * written nothing that it was not told to.
 *
 * A new file's name is on disk with the first sync of its content, as on ext4, xfs
 * and btrfs. Shared memory of SQLite (-shm) is no content and is left out. Ways of
 * writing that are not understood here end the process: a disk that overlooks
 * writes would prove nothing.
 *
 * With POWER_LOSS_IGNORE_SYNC a sync answers and does nothing, which to whoever
 * relies on it is what synchronous = OFF is.
 */
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int ignores_sync;

__attribute__((constructor)) static void begin(void)
{
    const char *root = getenv("POWER_LOSS_ROOT"), *disk = getenv("POWER_LOSS_DISK");
    if (!root || !disk)
        die("variables are missing", "POWER_LOSS_ROOT, POWER_LOSS_DISK");
    disk_begin(root, disk);
    ignores_sync = getenv("POWER_LOSS_IGNORE_SYNC") != NULL;
}

static int path_of_fd(int fd, char *path)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return 1;
}

/* The path that a name has, its last part taken as it is. */
static int absolute(int folder, const char *name, char *path)
{
    char above[PATH_MAX], resolved[PATH_MAX];
    if (name[0] == '/' || folder == AT_FDCWD) {
        snprintf(above, sizeof above, "%s", name);
    } else {
        if (!path_of_fd(folder, resolved))
            return 0;
        if (snprintf(above, sizeof above, "%s/%s", resolved, name) >= (int)sizeof above)
            return 0;
    }
    char *slash = strrchr(above, '/');
    const char *last = slash ? slash + 1 : name;
    char base[NAME_MAX + 1];
    snprintf(base, sizeof base, "%s", last);
    if (slash)
        *slash = 0;
    if (!realpath(slash ? (*above ? above : "/") : ".", resolved))
        return 0;
    return snprintf(path, PATH_MAX, "%s/%s", resolved, base) < PATH_MAX;
}

static struct file *of_fd(int fd)
{
    struct stat about;
    if (fstat(fd, &about) || !S_ISREG(about.st_mode))
        return NULL;
    return find(about.st_dev, about.st_ino);
}

static int sync_fd(int fd, int (*really)(int))
{
    struct stat about;
    char path[PATH_MAX];
    if (fstat(fd, &about) || !path_of_fd(fd, path) || !(is_root(path) || is_ours(path)))
        return really(fd);
    if (ignores_sync)
        return 0;
    pthread_mutex_lock(&lock);
    struct file *file = find(about.st_dev, about.st_ino);
    if (S_ISDIR(about.st_mode))
        sync_folder(path);
    else if (file)
        sync_file(file);
    pthread_mutex_unlock(&lock);
    return really(fd);
}

int fsync(int fd)
{
    return sync_fd(fd, REAL(fsync));
}

int fdatasync(int fd)
{
    return sync_fd(fd, REAL(fdatasync));
}

static int opened(int fd, int flags)
{
    char path[PATH_MAX];
    struct stat about;
    int kept = errno;
    if (fd < 0 || (flags & O_ACCMODE) == O_RDONLY || !path_of_fd(fd, path) || !is_ours(path) ||
        fstat(fd, &about) || !S_ISREG(about.st_mode)) {
        errno = kept;
        return fd;
    }
    struct file *file = know(path, &about);
    if (flags & O_TRUNC)
        note_length(file, 0);
    return fd;
}

#define OPEN(name, parameters, ...) \
    int name parameters \
    { \
        mode_t mode = 0; \
        if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE) { \
            va_list rest; \
            va_start(rest, flags); \
            mode = va_arg(rest, mode_t); \
            va_end(rest); \
        } \
        pthread_mutex_lock(&lock); \
        int fd = opened(REAL(name)(__VA_ARGS__, flags, mode), flags); \
        pthread_mutex_unlock(&lock); \
        return fd; \
    }

OPEN(open, (const char *path, int flags, ...), path)
OPEN(open64, (const char *path, int flags, ...), path)
OPEN(openat, (int folder, const char *path, int flags, ...), folder, path)
OPEN(openat64, (int folder, const char *path, int flags, ...), folder, path)

/* A write at an offset, and one where the file stands. */
#define PWRITE(name, parameters, ...) \
    ssize_t name parameters \
    { \
        pthread_mutex_lock(&lock); \
        struct file *file = of_fd(fd); \
        ssize_t wrote = REAL(name)(fd, __VA_ARGS__, offset); \
        if (file && wrote > 0) \
            note_write(file, offset, offset + wrote); \
        pthread_mutex_unlock(&lock); \
        return wrote; \
    }

PWRITE(pwrite, (int fd, const void *data, size_t count, off_t offset), data, count)
PWRITE(pwrite64, (int fd, const void *data, size_t count, off_t offset), data, count)
PWRITE(pwritev, (int fd, const struct iovec *parts, int count, off_t offset), parts, count)
PWRITE(pwritev64, (int fd, const struct iovec *parts, int count, off_t offset), parts, count)

/* Sockets and pipes are written without the lock: they may wait. */
#define WRITE(name, parameters, ...) \
    ssize_t name parameters \
    { \
        struct stat about; \
        if (fstat(fd, &about) || !S_ISREG(about.st_mode)) \
            return REAL(name)(fd, __VA_ARGS__); \
        pthread_mutex_lock(&lock); \
        struct file *file = of_fd(fd); \
        ssize_t wrote = REAL(name)(fd, __VA_ARGS__); \
        if (file && wrote > 0) { \
            off_t end = lseek(fd, 0, SEEK_CUR); \
            note_write(file, end - wrote, end); \
        } \
        pthread_mutex_unlock(&lock); \
        return wrote; \
    }

WRITE(write, (int fd, const void *data, size_t count), data, count)
WRITE(writev, (int fd, const struct iovec *parts, int count), parts, count)

#define FTRUNCATE(name) \
    int name(int fd, off_t length) \
    { \
        pthread_mutex_lock(&lock); \
        struct file *file = of_fd(fd); \
        int answer = REAL(name)(fd, length); \
        if (file && !answer) \
            note_length(file, length); \
        pthread_mutex_unlock(&lock); \
        return answer; \
    }

FTRUNCATE(ftruncate)
FTRUNCATE(ftruncate64)

#define RENAME(name, parameters, from_folder, from, to_folder, to, ...) \
    int name parameters \
    { \
        char source[PATH_MAX], target[PATH_MAX]; \
        int are_known = absolute(from_folder, from, source) && absolute(to_folder, to, target); \
        pthread_mutex_lock(&lock); \
        int answer = REAL(name)(__VA_ARGS__); \
        if (!answer && are_known) \
            note_move(source, target); \
        pthread_mutex_unlock(&lock); \
        return answer; \
    }

RENAME(rename, (const char *a, const char *b), AT_FDCWD, a, AT_FDCWD, b, a, b)
RENAME(renameat, (int i, const char *a, int j, const char *b), i, a, j, b, i, a, j, b)
RENAME(renameat2, (int i, const char *a, int j, const char *b, unsigned int flags), i, a, j, b,
       i, a, j, b, flags)

#define UNLINK(name, parameters, folder, ...) \
    int name parameters \
    { \
        char gone[PATH_MAX]; \
        int is_known = absolute(folder, path, gone); \
        pthread_mutex_lock(&lock); \
        int answer = REAL(name)(__VA_ARGS__); \
        if (!answer && is_known) \
            note_removal(gone); \
        pthread_mutex_unlock(&lock); \
        return answer; \
    }

UNLINK(unlink, (const char *path), AT_FDCWD, path)
UNLINK(unlinkat, (int folder, const char *path, int flags), folder, folder, path, flags)

/* Ways of writing that go past all of this. */
static void refuse(int fd, const char *how)
{
    pthread_mutex_lock(&lock);
    struct file *file = of_fd(fd);
    if (file)
        die(how, file->path);
    pthread_mutex_unlock(&lock);
}

#define MMAP(name) \
    void *name(void *at, size_t length, int protection, int flags, int fd, off_t offset) \
    { \
        if (fd >= 0 && (flags & MAP_SHARED) && (protection & PROT_WRITE)) \
            refuse(fd, "written by mmap"); \
        return REAL(name)(at, length, protection, flags, fd, offset); \
    }

MMAP(mmap)
MMAP(mmap64)

ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t count,
                        unsigned int flags)
{
    refuse(out, "written by copy_file_range");
    return REAL(copy_file_range)(in, from, out, to, count, flags);
}

int fallocate(int fd, int mode, off_t offset, off_t length)
{
    refuse(fd, "written by fallocate");
    return REAL(fallocate)(fd, mode, offset, length);
}
