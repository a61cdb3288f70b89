/* The disk of a machine that may lose its power: what is on it, and what is not yet. */
#ifndef POWER_LOSS_DISK_H
#define POWER_LOSS_DISK_H

#define _GNU_SOURCE
#include <dlfcn.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/types.h>

/* What is called by name here goes to the C library, past the calls of calls.c. */
#define REAL(name) ((__typeof__(&name))real(#name))
void *real(const char *name);

struct range {
    off_t start, end;
};

/* A file, by its inode, for as long as the process lives. */
struct file {
    dev_t device;
    ino_t inode;
    /* Where it is, "" once it is removed; and where the disk has it, "" if nowhere. */
    char path[PATH_MAX], on_disk[PATH_MAX];
    /* What was written since it was synced, and the shortest it has been since. */
    struct range *dirty;
    size_t dirty_count, dirty_room;
    off_t shortest;
};

/* All of these are called with the lock of calls.c held. Paths are absolute. */

void disk_begin(const char *root, const char *disk);
/* Whether a path is one that the disk has. */
int is_ours(const char *path);
int is_root(const char *path);
/* The file that has this number and a name: one that is removed is no more of interest,
 * and its number may be another file's. */
struct file *find(dev_t device, ino_t inode);
/* Knows a file from when it is opened for writing. */
struct file *know(const char *path, const struct stat *about);
void note_write(struct file *file, off_t start, off_t end);
void note_length(struct file *file, off_t length);
void note_move(const char *from, const char *to);
void note_removal(const char *path);
void sync_file(struct file *file);
/* Brings the names of a folder to the disk: what was renamed and removed. */
void sync_folder(const char *folder);
_Noreturn void die(const char *what, const char *about);

#endif
