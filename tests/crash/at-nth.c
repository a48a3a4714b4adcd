/* at-nth: runs a program and kills it right before its N-th system call that changes files.
 *
 *     at-nth N [--cut DIRECTORY]... -- PROGRAM [ARGUMENT]...
 *
 * Counted over all threads: files and directories made, written, cut, renamed, linked, removed, synced, and given
 * permissions. Sockets and pipes don't count. With --cut, the ext4 file systems that hold the directories lose
 * power first: they are shut down without writing anything more, not even their journals.
 *
 * Exits with 137 if it killed the program, after telling on stderr before which call; else as the program did.
 * SIGTERM is passed on. The calls are stopped by a seccomp filter, so that all others run at full speed. strace
 * can't do this: it counts each thread and each call by itself.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXT4_IOC_SHUTDOWN _IOR('X', 125, uint32_t)
#define NO_LOG_FLUSH 2

/* Where the call names its file: by a path in the first or second argument, or by a descriptor. */
enum kind { PATH, PATH_AT, OPEN, OPEN_AT, OPENED };

static const struct call {
    int number;
    const char *name;
    enum kind kind;
} calls[] = {
#define CALL(name, kind) { SYS_##name, #name, kind }
#ifdef SYS_open /* aarch64 has the *at calls only */
    CALL(creat, PATH), CALL(rename, PATH), CALL(link, PATH), CALL(unlink, PATH), CALL(symlink, PATH),
    CALL(mkdir, PATH), CALL(rmdir, PATH), CALL(chmod, PATH), CALL(open, OPEN), CALL(renameat, PATH_AT),
#endif
    CALL(openat, OPEN_AT), CALL(renameat2, PATH_AT), CALL(linkat, PATH_AT), CALL(unlinkat, PATH_AT), CALL(symlinkat, PATH),
    CALL(mkdirat, PATH_AT), CALL(truncate, PATH), CALL(fchmodat, PATH_AT), CALL(fchownat, PATH_AT),
    CALL(write, OPENED), CALL(writev, OPENED), CALL(pwrite64, OPENED), CALL(pwritev, OPENED),
    CALL(pwritev2, OPENED), CALL(ftruncate, OPENED), CALL(fallocate, OPENED), CALL(fchmod, OPENED),
    CALL(fchown, OPENED), CALL(fsync, OPENED), CALL(fdatasync, OPENED),
    CALL(sync_file_range, OPENED), CALL(fadvise64, OPENED),
};
#define CALLS (sizeof calls / sizeof calls[0])

static pid_t child;

static void pass_on(int signal) { kill(child, signal); }

static void fail(const char *what) {
    perror(what);
    if (child > 0) kill(child, SIGKILL);
    exit(2);
}

/* Stops the calls for the tracer, and lets all others through. */
static void filter(void) {
    struct sock_filter code[CALLS + 3];
    size_t n = 0;
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < CALLS; i++)
        code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i].number, CALLS - i, 0);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
    struct sock_fprog program = { .len = n, .filter = code };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        fail("seccomp");
}

/* The call a thread is about to make, if it counts; `path` becomes the file it is for. */
static const struct call *about_to(pid_t thread, char *path, size_t size) {
    struct __ptrace_syscall_info info;
    if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info) <= 0) return NULL;
    const uint64_t *args = info.seccomp.args;
    const struct call *call = NULL;
    for (size_t i = 0; i < CALLS; i++)
        if ((uint64_t)calls[i].number == info.seccomp.nr) call = &calls[i];
    memset(path, 0, size);
    if (!call) return NULL;
    if (call->kind == OPENED) {
        char link[64];
        struct stat file;
        snprintf(link, sizeof link, "/proc/%d/fd/%d", thread, (int)args[0]);
        if (stat(link, &file) || !(S_ISREG(file.st_mode) || S_ISDIR(file.st_mode))) return NULL;
        if (readlink(link, path, size - 1) < 0) path[0] = '\0';
        return call;
    }
    int at = call->kind == PATH_AT || call->kind == OPEN_AT;
    if ((call->kind == OPEN || call->kind == OPEN_AT) && !(args[at + 1] & (O_CREAT | O_TRUNC))) return NULL;
    /* Up to the end of the page, beyond which nothing may be. */
    struct iovec here = { path, size - 1 }, there = { (void *)args[at], 4096 - args[at] % 4096 };
    if (process_vm_readv(thread, &here, 1, &there, 1, 0) < 0) path[0] = '\0';
    return call;
}

int main(int argc, char **argv) {
    int cuts[8], cut = 0, at = 2;
    long left = argc > 1 ? atol(argv[1]) : 0;
    for (; at + 1 < argc && !strcmp(argv[at], "--cut") && cut < 8; at += 2)
        if ((cuts[cut++] = open(argv[at + 1], O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) fail(argv[at + 1]);
    if (left < 1 || at + 1 >= argc || strcmp(argv[at], "--")) {
        fprintf(stderr, "usage: at-nth N [--cut DIRECTORY]... -- PROGRAM [ARGUMENT]...\n");
        return 2;
    }
    if ((child = fork()) < 0) fail("fork");
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, 0, 0)) fail("ptrace");
        raise(SIGSTOP);
        filter();
        execvp(argv[at + 1], &argv[at + 1]);
        fail(argv[at + 1]);
    }
    int status;
    long options = PTRACE_O_EXITKILL | PTRACE_O_TRACESECCOMP | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK
                   | PTRACE_O_TRACEVFORK;
    if (waitpid(child, &status, 0) < 0 || !WIFSTOPPED(status) || ptrace(PTRACE_SETOPTIONS, child, 0, options))
        fail("ptrace");
    signal(SIGTERM, pass_on);
    ptrace(PTRACE_CONT, child, 0, 0);
    for (;;) {
        pid_t thread = waitpid(-1, &status, __WALL);
        if (thread < 0) {
            if (errno == EINTR) continue;
            fail("wait");
        }
        if (thread == child && WIFEXITED(status)) return WEXITSTATUS(status);
        if (thread == child && WIFSIGNALED(status)) return 128 + WTERMSIG(status);
        if (!WIFSTOPPED(status)) continue;
        int event = status >> 16, pass = WSTOPSIG(status);
        if (event == PTRACE_EVENT_SECCOMP) {
            char path[4096];
            const struct call *call = about_to(thread, path, sizeof path);
            if (call && --left == 0) {
                uint32_t how = NO_LOG_FLUSH;
                for (int i = 0; i < cut; i++)
                    if (ioctl(cuts[i], EXT4_IOC_SHUTDOWN, &how)) fail("shutdown");
                kill(child, SIGKILL);
                /* Its children too; when the last is reaped, no file is open any more. */
                do kill(thread, SIGKILL);
                while ((thread = waitpid(-1, &status, __WALL)) > 0);
                fprintf(stderr, "at-nth: killed before %s %s\n", call->name, path);
                return 137;
            }
        }
        /* A new thread begins with a stop that is the tracer's alone, and so are events. */
        if (event || pass == SIGSTOP || pass == SIGTRAP) pass = 0;
        ptrace(PTRACE_CONT, thread, 0, pass);
    }
}
