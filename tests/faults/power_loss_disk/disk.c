#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_FILES 4096

static struct file *files[MAX_FILES];
static size_t file_count;
static const char *root, *disk;
static size_t root_length;

void *real(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (!found)
        abort();
    return found;
}

_Noreturn void die(const char *what, const char *about)
{
    fprintf(stderr, "power_loss: %s: %s (%s)\n", what, about, strerror(errno));
    abort();
}

void disk_begin(const char *the_root, const char *the_disk)
{
    root = the_root;
    disk = the_disk;
    root_length = strlen(root);
}

static int ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), want = strlen(end);
    return length >= want && !strcmp(text + length - want, end);
}

int is_ours(const char *path)
{
    return root && !strncmp(path, root, root_length) && path[root_length] == '/' &&
           !ends_with(path, "-shm");
}

int is_root(const char *path)
{
    return root && !strcmp(path, root);
}

/* Where the disk has what is at a path. */
static void disk_path(const char *path, char *there)
{
    if (snprintf(there, PATH_MAX, "%s%s", disk, path + root_length) >= PATH_MAX)
        die("the path is too long", path);
}

static void make_folders(const char *file)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s", file);
    for (char *at = folder + strlen(disk); *at; at++) {
        if (*at != '/' || at == folder)
            continue;
        *at = 0;
        if (mkdir(folder, 0777) && errno != EEXIST)
            die("mkdir", folder);
        *at = '/';
    }
}

struct file *find(dev_t device, ino_t inode)
{
    for (size_t i = 0; i < file_count; i++)
        if (*files[i]->path && files[i]->inode == inode && files[i]->device == device)
            return files[i];
    return NULL;
}

static struct file *at_path(const char *path)
{
    for (size_t i = 0; i < file_count; i++)
        if (!strcmp(files[i]->path, path))
            return files[i];
    return NULL;
}

static struct file *new_file(const char *path)
{
    struct file *file = calloc(1, sizeof *file);
    if (file_count == MAX_FILES || !file)
        die("too many files", path);
    files[file_count++] = file;
    return file;
}

static int is_claimed(const char *path)
{
    for (size_t i = 0; i < file_count; i++)
        if (!strcmp(files[i]->on_disk, path))
            return 1;
    return 0;
}

static int disk_has(const char *path)
{
    char there[PATH_MAX];
    struct stat kept;
    disk_path(path, there);
    return !stat(there, &kept);
}

struct file *know(const char *path, const struct stat *about)
{
    struct file *file = find(about->st_dev, about->st_ino);
    if (file && !strcmp(file->path, path))
        return file;
    if (file)
        die("a file has two names", path);
    file = new_file(path);
    file->device = about->st_dev;
    file->inode = about->st_ino;
    file->shortest = about->st_size;
    strcpy(file->path, path);
    /* What was there before the process began is on the disk, under its name. */
    if (!is_claimed(path) && disk_has(path))
        strcpy(file->on_disk, path);
    return file;
}

void note_write(struct file *file, off_t start, off_t end)
{
    if (file->dirty_count) {
        struct range *last = &file->dirty[file->dirty_count - 1];
        if (start >= last->start && start <= last->end) {
            if (end > last->end)
                last->end = end;
            return;
        }
    }
    if (file->dirty_count == file->dirty_room) {
        file->dirty_room = file->dirty_room ? 2 * file->dirty_room : 64;
        file->dirty = realloc(file->dirty, file->dirty_room * sizeof *file->dirty);
        if (!file->dirty)
            die("realloc", file->path);
    }
    file->dirty[file->dirty_count++] = (struct range){start, end};
}

void note_length(struct file *file, off_t length)
{
    if (length < file->shortest)
        file->shortest = length;
}

/* The disk's file of this name is this one from now on. */
static void claim(struct file *file)
{
    char from[PATH_MAX], to[PATH_MAX];
    if (!strcmp(file->on_disk, file->path))
        return;
    for (size_t i = 0; i < file_count; i++)
        if (!strcmp(files[i]->on_disk, file->path))
            *files[i]->on_disk = 0;
    disk_path(file->path, to);
    make_folders(to);
    if (*file->on_disk) {
        disk_path(file->on_disk, from);
        if (REAL(rename)(from, to))
            die("rename", from);
    } else {
        int made = REAL(open)(to, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0666);
        if (made < 0)
            die("create", to);
        close(made);
        /* Content that the disk lost with the name it had is written anew. */
        file->shortest = 0;
        note_write(file, 0, LONG_MAX);
    }
    strcpy(file->on_disk, file->path);
}

static void copy(const struct file *file, int from, int to, struct range range)
{
    char block[65536];
    while (range.start < range.end) {
        size_t most = sizeof block;
        if (range.end - range.start < (off_t)most)
            most = range.end - range.start;
        ssize_t got = pread(from, block, most, range.start);
        if (got < 0)
            die("pread", file->path);
        if (got == 0)
            return;
        if (REAL(pwrite)(to, block, got, range.start) != got)
            die("pwrite", file->path);
        range.start += got;
    }
}

/* Brings a file to the disk. A kill in the middle leaves a part of it there, as a
 * power cut in the middle of a sync does. */
void sync_file(struct file *file)
{
    char there[PATH_MAX];
    struct stat about;
    if (!*file->path)
        return;
    claim(file);
    disk_path(file->on_disk, there);
    int from = REAL(open)(file->path, O_RDONLY | O_CLOEXEC);
    int to = REAL(open)(there, O_RDWR | O_CLOEXEC);
    if (from < 0 || to < 0 || fstat(from, &about))
        die("open", there);
    struct stat kept;
    if (fstat(to, &kept))
        die("fstat", there);
    if (kept.st_size > file->shortest && REAL(ftruncate)(to, file->shortest))
        die("ftruncate", there);
    for (size_t i = 0; i < file->dirty_count; i++)
        copy(file, from, to, file->dirty[i]);
    if (REAL(ftruncate)(to, about.st_size))
        die("ftruncate", there);
    file->dirty_count = 0;
    file->shortest = about.st_size;
    close(from);
    close(to);
}

static int is_in(const char *path, const char *folder)
{
    size_t length = strlen(folder);
    return !strncmp(path, folder, length) && path[length] == '/' &&
           !strchr(path + length + 1, '/');
}

void sync_folder(const char *folder)
{
    char there[PATH_MAX];
    for (size_t i = 0; i < file_count; i++)
        if (*files[i]->on_disk && *files[i]->path && is_in(files[i]->path, folder))
            claim(files[i]);
    for (size_t i = 0; i < file_count; i++) {
        if (*files[i]->path || !*files[i]->on_disk || !is_in(files[i]->on_disk, folder))
            continue;
        disk_path(files[i]->on_disk, there);
        if (REAL(unlink)(there) && errno != ENOENT)
            die("unlink", there);
        *files[i]->on_disk = 0;
    }
}

/* Names change at once for who looks, and on the disk when the folder is synced. */
void note_move(const char *from, const char *to)
{
    struct stat about;
    struct file *file = is_ours(to) ? at_path(to) : NULL;
    if (file)
        *file->path = 0;
    file = is_ours(from) ? at_path(from) : NULL;
    if (!file && (is_ours(from) || is_ours(to)) && !stat(to, &about) && S_ISREG(about.st_mode))
        die("a file is renamed that nobody opened for writing", from);
    if (file && !is_ours(to))
        die("a file is moved away", from);
    if (file)
        strcpy(file->path, to);
}

void note_removal(const char *path)
{
    struct file *file = is_ours(path) ? at_path(path) : NULL;
    if (file)
        *file->path = 0;
    else if (is_ours(path) && disk_has(path) && !is_claimed(path))
        strcpy(new_file(path)->on_disk, path);
}
