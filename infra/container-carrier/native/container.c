/*
 * Starts a room's container and is its first process there; holds namespaces for one that is to come.
 * What it can do and how it is called is said above main().
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LAST_CAPABILITY 63
/* Room hosts write a last word to the fifth file when they hang; nobody reads it here. */
#define FIRST_FREE 5

static void die(const char *what) {
    fprintf(stderr, "container: %s: %s\n", what, strerror(errno));
    _exit(1);
}

static void check(int result, const char *what) {
    if (result < 0) die(what);
}

/* Joins the control groups whose files come before "--"; returns what follows it. */
static char **join_groups(char **arguments) {
    for (; *arguments && strcmp(*arguments, "--") != 0; arguments++) {
        int fd = open(*arguments, O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, "0", 1) < 0) die(*arguments);
        close(fd);
    }
    if (!*arguments || !arguments[1]) {
        errno = EINVAL;
        die("no program after --");
    }
    return arguments + 1;
}

/* Refuses what a room never needs and what has been used most to get out of containers. */
static void filter_system_calls(void) {
#ifdef __x86_64__
    static const int refused[] = {
        SYS_mount, SYS_umount2, SYS_pivot_root, SYS_setns, SYS_unshare, SYS_ptrace, SYS_process_vm_readv,
        SYS_process_vm_writev, SYS_kexec_load, SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_bpf,
        SYS_perf_event_open, SYS_userfaultfd, SYS_keyctl, SYS_add_key, SYS_request_key, SYS_open_by_handle_at,
        SYS_name_to_handle_at, SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register, SYS_quotactl, SYS_acct,
        SYS_swapon, SYS_swapoff, SYS_reboot, SYS_settimeofday, SYS_clock_settime, SYS_fsopen, SYS_open_tree,
        SYS_move_mount, SYS_mknod, SYS_chroot,
    };
    enum { COUNT = sizeof refused / sizeof *refused };
    struct sock_filter program[COUNT + 6];
    size_t n = 0;
    program[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    program[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
    program[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    program[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < COUNT; i++)
        program[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)refused[i], (unsigned char)(COUNT - i), 0);
    program[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    program[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
    struct sock_fprog filter = {.len = (unsigned short)n, .filter = program};
    check(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), "seccomp");
#endif
}

static void give_up_privileges(unsigned user) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {0};
    for (int capability = 0; capability <= LAST_CAPABILITY; capability++) prctl(PR_CAPBSET_DROP, capability);
    check(setgroups(0, NULL), "setgroups");
    check(setresgid(user, user, user), "setresgid");
    check(setresuid(user, user, user), "setresuid");
    check((int)syscall(SYS_capset, &header, none), "capset");
    check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
    filter_system_calls();
}

static void enter_root(const char *root, const char *shared) {
    char path[4096];
    check(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private mounts");
    check(mount(root, root, NULL, MS_BIND, NULL), "bind root");
    snprintf(path, sizeof path, "%s/run/centroid", root);
    check(mount(shared, path, NULL, MS_BIND, NULL), "bind the shared folder");
    check(mount(NULL, path, NULL, MS_BIND | MS_REMOUNT | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL), "remount it");
    snprintf(path, sizeof path, "%s/proc", root);
    check(mount("proc", path, "proc", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL), "proc");
    check(chdir(root), "chdir");
    check((int)syscall(SYS_pivot_root, ".", "."), "pivot_root");
    check(umount2(".", MNT_DETACH), "let go of the host's root");
    check(mount(NULL, "/", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID, NULL), "read-only root");
    check(chdir("/"), "chdir /");
}

static void use_null_for_output(void) {
    int fd = open("/dev/null", O_RDWR);
    check(fd, "/dev/null");
    for (int to = 0; to < FIRST_FREE; to++) check(dup2(fd, to), "dup2");
    if (fd >= FIRST_FREE) close(fd);
}

/* What this program's own fault was, for the agent; a kill from outside is none. Node aborts when its heap is full. */
static void tell_fatal_signal(int number) {
    if (number != SIGABRT && number != SIGTRAP && number != SIGSEGV && number != SIGILL && number != SIGBUS) return;
    int fd = open("/run/centroid/last-words", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) return;
    dprintf(fd, "{\"type\":\"lastWords\",\"how\":\"exited\",\"what\":\"a full heap, or another fatal error (signal %d),\"}\n", number);
    close(fd);
}

static volatile pid_t program_pid;

static void pass_on(int number) {
    if (program_pid > 0) kill(program_pid, number);
}

/* The end of the first process is the end of all. */
static int init(char **program) {
    signal(SIGTERM, pass_on);
    program_pid = fork();
    check((int)program_pid, "fork");
    if (program_pid == 0) {
        signal(SIGTERM, SIG_DFL);
        execv(program[0], program);
        _exit(127);
    }
    for (;;) {
        int status;
        pid_t ended = wait(&status);
        if (ended == program_pid) {
            if (WIFSIGNALED(status)) tell_fatal_signal(WTERMSIG(status));
            return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
        }
        if (ended < 0 && errno == ECHILD) return 1;
    }
}

static void enter(unsigned user, const char *root, const char *shared, char *name, char **program) {
    check((int)setsid(), "setsid");
    check(sethostname(name, strlen(name)), "sethostname");
    enter_root(root, shared);
    use_null_for_output();
    syscall(SYS_close_range, (unsigned)FIRST_FREE, ~0u, 0u);
    give_up_privileges(user);
    /* By its name the agent finds it again. "--" and what came before it are not needed any more. */
    program[-1] = (char *)"init";
    program[-2] = name;
    char *const environment[] = {
        (char *)"PATH=/bin", (char *)"HOME=/", (char *)"NODE_ENV=production", (char *)"UV_USE_IO_URING=0", NULL,
    };
    execve("/bin/container", program - 2, environment);
    die("/bin/container");
}

static int run(char **arguments) {
    if (!arguments[0] || !arguments[1] || !arguments[2] || !arguments[3]) return 2;
    char **program = join_groups(arguments + 4);
    check(unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS), "namespaces");
    pid_t container = fork();
    check((int)container, "fork");
    if (container == 0) enter((unsigned)strtoul(arguments[0], NULL, 10), arguments[1], arguments[2], arguments[3], program);
    printf("%d\n", (int)container);
    return 0;
}

static int hold_namespaces(const char *name) {
    char byte;
    check(unshare(CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC), "namespaces");
    check(sethostname(name, strlen(name)), "sethostname");
    printf("%d\n", (int)getpid());
    fflush(stdout);
    while (read(0, &byte, 1) > 0) {
    }
    return 0;
}

/*
 * container run USER ROOT SHARED NAME CGROUP_PROCS... -- PROGRAM ARGUMENT...
 *   makes namespaces (process, mount, network, IPC, host name), enters them as USER without capabilities, with a
 *   read-only ROOT and the one writable folder SHARED at /run/centroid, starts PROGRAM and reaps whatever ends. Prints
 *   the process id of the container and ends at once; the container lives on.
 * container init PROGRAM ARGUMENT...
 *   the container's first process, from its own root: a checkpoint may not need any file of the host
 * container hold NAME
 *   prints its process id and holds empty namespaces of network, host name (NAME) and IPC until its standard input ends
 */
int main(int count, char **arguments) {
    if (count > 5 && strcmp(arguments[1], "run") == 0) return run(arguments + 2);
    if (count > 2 && strcmp(arguments[1], "init") == 0) return init(arguments + 2);
    if (count == 3 && strcmp(arguments[1], "hold") == 0) return hold_namespaces(arguments[2]);
    fprintf(stderr, "usage: container run USER ROOT SHARED NAME CGROUP... -- PROGRAM... | hold NAME\n");
    return 2;
}
