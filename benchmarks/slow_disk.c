/* Loaded before the C library (LD_PRELOAD): every fsync and fdatasync takes FSYNC_DELAY_US longer. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

static void wait_as_told(void)
{
    const char *delay = getenv("FSYNC_DELAY_US");
    if (delay != NULL)
        usleep((useconds_t) atoi(delay));
}

int fsync(int file)
{
    int (*real)(int) = (int (*)(int)) dlsym(RTLD_NEXT, "fsync");
    wait_as_told();
    return real(file);
}

int fdatasync(int file)
{
    int (*real)(int) = (int (*)(int)) dlsym(RTLD_NEXT, "fdatasync");
    wait_as_told();
    return real(file);
}
