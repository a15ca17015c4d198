/*
 * Gives a restored container its memory, before it runs or while it runs already. criu registers the memory with
 * userfaultfd and hands the descriptors over; pages come from images on this host, and from those that the source of the
 * move still sends. The kernel copies them faster than criu, whose every page is a fault of the process.
 * How it is called, and what it is told, is said above main().
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LINE = 3, PAGE_SHIFT = 12, PAGE_BYTES = 1 << PAGE_SHIFT, MOST_TASKS = 64, MOST_FILES = 256, MOST_WAITING = 256 };
/* criu's word for "everything is restored", where the number of the next process would be. */
enum { RESTORE_FINISHED = 0x52535446 };
/* Pages given at a fault, since the next ones are wanted soon; and at once while nobody waits. */
enum { AROUND_FAULT = 16, AT_ONCE = 64 };
/* What a process does to its memory is over by then. */
enum { TRY_AGAIN_MS = 1, MOST_SECONDS_AHEAD = 3 };

enum { RUN = 1, TOLD = 2, ARRIVED = 3, ALL = 4, WANTED = 1, DONE = 2, FAILED = 3 };
/* What the agent says and is told, in this machine's byte order. */
struct message {
    uint32_t type, pid, round, id;
    uint64_t page, count, at;
};

struct file {
    uint32_t pid, round, id;
    uint64_t pages;
    int fd;
};

/* Pages that a process does not have yet. */
struct run {
    uint64_t page, count, at;
    unsigned file;
    int arrived;
};

struct task {
    uint32_t pid;
    int uffd;
    struct run *runs;
    size_t count, room;
    /* Faults that could not be answered yet: the page has not come, or the process is changing its memory. */
    uint64_t waiting[MOST_WAITING];
    size_t waits;
};

static struct file files[MOST_FILES];
static struct task tasks[MOST_TASKS], told[MOST_TASKS];
static size_t file_count, task_count, told_count;
static int images, is_told, is_all, is_restored;
/* Pages on their way: always the same memory, since the first use of any costs more than copying it. */
static char passing[AT_ONCE << PAGE_SHIFT];

/* Whoever has the descriptors as well ends the container. */
static void give_up(const char *why) {
    fprintf(stderr, "lazy-pages: %s: %s\n", why, strerror(errno));
    _exit(1);
}

static void check(int result, const char *what) {
    if (result < 0) give_up(what);
}

/* Pages that follow have no number, and are their process's. */
static unsigned file_of(uint32_t pid, uint32_t round, uint32_t id) {
    for (unsigned i = 0; i < file_count; i++)
        if (files[i].round == round && files[i].id == id && (id != 0 || files[i].pid == pid)) return i;
    if (file_count == MOST_FILES) give_up("too many files");
    char path[64];
    struct stat stat;
    if (id == 0) snprintf(path, sizeof path, "lazy-%u.img", pid);
    else if (round == 0) snprintf(path, sizeof path, "pages-%u.img", id);
    else snprintf(path, sizeof path, "ahead-%u/pages-%u.img", round, id);
    int fd = openat(images, path, O_RDONLY | O_CLOEXEC);
    check(fd, path);
    check(fstat(fd, &stat), path);
    files[file_count] = (struct file){pid, round, id, (uint64_t)stat.st_size >> PAGE_SHIFT, fd};
    return (unsigned)file_count++;
}

static struct task *told_of(uint32_t pid) {
    for (size_t i = 0; i < told_count; i++)
        if (told[i].pid == pid) return &told[i];
    if (told_count == MOST_TASKS) give_up("too many processes");
    told[told_count] = (struct task){.pid = pid, .uffd = -1};
    return &told[told_count++];
}

static void insert(struct task *task, size_t index, struct run run) {
    if (task->count == task->room) {
        task->room = task->room * 2 + 64;
        task->runs = realloc(task->runs, task->room * sizeof run);
        if (task->runs == NULL) give_up("memory");
    }
    memmove(task->runs + index + 1, task->runs + index, (task->count - index) * sizeof run);
    task->runs[index] = run;
    task->count++;
}

/* The run that has this page, or the first one behind it. */
static size_t seek(const struct task *task, uint64_t page) {
    size_t low = 0, high = task->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (task->runs[middle].page + task->runs[middle].count <= page) low = middle + 1;
        else high = middle;
    }
    return low;
}

static struct run *find(struct task *task, uint64_t page) {
    size_t index = seek(task, page);
    return index < task->count && task->runs[index].page <= page ? &task->runs[index] : NULL;
}

/* Makes a run begin at this page, if it is in one. @returns the index of the first run from there on */
static size_t split(struct task *task, uint64_t page) {
    size_t index = seek(task, page);
    if (index == task->count || task->runs[index].page >= page) return index;
    struct run *run = &task->runs[index], rest = *run;
    uint64_t before = page - run->page;
    rest.page += before;
    rest.at += before;
    rest.count -= before;
    run->count = before;
    insert(task, index + 1, rest);
    return index + 1;
}

static void forget(struct task *task, uint64_t from, uint64_t to) {
    size_t first = split(task, from), last = split(task, to);
    memmove(task->runs + first, task->runs + last, (task->count - last) * sizeof *task->runs);
    task->count -= last - first;
}

static void let_go(struct task *task) {
    if (task->uffd >= 0) close(task->uffd);
    free(task->runs);
    *task = (struct task){.pid = task->pid, .uffd = -1};
}

static void wake(const struct task *task, uint64_t page) {
    struct uffdio_range range = {page << PAGE_SHIFT, PAGE_BYTES};
    ioctl(task->uffd, UFFDIO_WAKE, &range);
}

/* @returns 0 if it has to be tried again, after what the process is doing to its memory */
static int give(struct task *task, uint64_t page, uint64_t most) {
    struct run *run = find(task, page);
    if (run == NULL) return 1;
    const struct file *file = &files[run->file];
    uint64_t skipped = page - run->page, count = run->count - skipped;
    if (count > most) count = most;
    if (run->at + skipped + count > file->pages) give_up("a file is too short");
    if (pread(file->fd, passing, count << PAGE_SHIFT, (off_t)((run->at + skipped) << PAGE_SHIFT)) != (ssize_t)(count << PAGE_SHIFT))
        give_up("pages cannot be read");
    struct uffdio_copy copy = {.dst = page << PAGE_SHIFT, .src = (uintptr_t)passing, .len = count << PAGE_SHIFT};
    if (ioctl(task->uffd, UFFDIO_COPY, &copy) == 0) {
        forget(task, page, page + count);
        return 1;
    }
    if (copy.copy > 0) {
        forget(task, page, page + ((uint64_t)copy.copy >> PAGE_SHIFT));
        return 1;
    }
    switch (errno) {
    case EAGAIN: return 0;
    case EEXIST:
        forget(task, page, page + 1);
        wake(task, page);
        return 1;
    case ENOENT:
        /* More than one mapping at once, or none any more, or not yet. */
        if (count > 1) return give(task, page, 1);
        if (!is_restored) return 0;
        forget(task, page, page + 1);
        return 1;
    case ESRCH:
    case ENOSPC: let_go(task); return 1;
    default: give_up("UFFDIO_COPY");
    }
    return 1;
}

static void say(struct message message) {
    if (is_all && message.type == WANTED) give_up("a page was forgotten");
    if (send(LINE, &message, sizeof message, MSG_NOSIGNAL) != sizeof message && !is_all) give_up("the agent has ended");
}

static void answer_fault(struct task *task, uint64_t page, int is_new) {
    struct run *run = find(task, page);
    if (run != NULL && !run->arrived) {
        if (is_new) say((struct message){.type = WANTED, .pid = task->pid, .at = run->at + page - run->page});
    } else if (run != NULL) {
        if (give(task, page, AROUND_FAULT)) return;
    } else {
        struct uffdio_zeropage zero = {.range = {page << PAGE_SHIFT, PAGE_BYTES}};
        if (ioctl(task->uffd, UFFDIO_ZEROPAGE, &zero) == 0) return;
        if (errno == EEXIST) return wake(task, page);
        if (errno == ESRCH || errno == ENOENT || errno == ENOSPC) return;
        if (errno != EAGAIN) give_up("UFFDIO_ZEROPAGE");
    }
    if (task->waits == MOST_WAITING) give_up("too many faults");
    task->waiting[task->waits++] = page;
}

static void remap(struct task *task, uint64_t from, uint64_t to, uint64_t count) {
    size_t first = split(task, from), last = split(task, from + count), moved = last - first;
    struct run *runs = malloc((moved + 1) * sizeof *runs);
    if (runs == NULL) give_up("memory");
    memcpy(runs, task->runs + first, moved * sizeof *runs);
    forget(task, from, from + count);
    forget(task, to, to + count);
    for (size_t i = 0; i < moved; i++) {
        runs[i].page += to - from;
        insert(task, seek(task, runs[i].page), runs[i]);
    }
    free(runs);
}

static struct task *add_task(uint32_t pid, int uffd, const struct task *like) {
    if (task_count == MOST_TASKS) give_up("too many processes");
    struct task *task = &tasks[task_count++];
    *task = (struct task){.pid = pid, .uffd = uffd};
    for (size_t i = 0; i < like->count; i++) insert(task, i, like->runs[i]);
    fcntl(uffd, F_SETFL, O_NONBLOCK);
    return task;
}

static void read_events(struct task *task) {
    struct uffd_msg message;
    while (task->uffd >= 0 && read(task->uffd, &message, sizeof message) == sizeof message) switch (message.event) {
    case UFFD_EVENT_PAGEFAULT: answer_fault(task, message.arg.pagefault.address >> PAGE_SHIFT, 1); break;
    case UFFD_EVENT_REMOVE:
    case UFFD_EVENT_UNMAP: forget(task, message.arg.remove.start >> PAGE_SHIFT, message.arg.remove.end >> PAGE_SHIFT); break;
    case UFFD_EVENT_REMAP:
        remap(task, message.arg.remap.from >> PAGE_SHIFT, message.arg.remap.to >> PAGE_SHIFT, message.arg.remap.len >> PAGE_SHIFT);
        break;
    case UFFD_EVENT_FORK: add_task(task->pid, (int)message.arg.fork.ufd, task); break;
    default: errno = EPROTO; give_up("an unknown event");
    }
    for (size_t waits = task->waits, i = 0; i < waits; i++) {
        uint64_t page = task->waiting[0];
        memmove(task->waiting, task->waiting + 1, --task->waits * sizeof page);
        answer_fault(task, page, 0);
    }
}

static void mark_arrived(struct task *task, unsigned file, uint64_t at, uint64_t count) {
    for (size_t i = 0; i < task->count; i++) {
        struct run run = task->runs[i];
        if (run.file != file || run.arrived || run.at >= at + count || run.at + run.count <= at) continue;
        uint64_t from = run.at < at ? at - run.at : 0, to = run.at + run.count > at + count ? at + count - run.at : run.count;
        split(task, run.page + to);
        task->runs[split(task, run.page + from)].arrived = 1;
    }
}

static void read_line(void) {
    struct message message;
    ssize_t got = recv(LINE, &message, sizeof message, MSG_WAITALL);
    if (got < 0 && errno == EINTR) return;
    if (got != sizeof message) give_up("the agent has ended");
    switch (message.type) {
    case RUN: {
        struct task *task = told_of(message.pid);
        struct run run = {message.page, message.count, message.at, file_of(message.pid, message.round, message.id), message.id != 0};
        insert(task, seek(task, run.page), run);
        break;
    }
    case TOLD: is_told = 1; break;
    case ARRIVED:
        /* criu may not have come with the process yet. */
        mark_arrived(told_of(message.pid), file_of(message.pid, 0, 0), message.at, message.count);
        for (size_t i = 0; i < task_count; i++)
            if (tasks[i].pid == message.pid) mark_arrived(&tasks[i], file_of(message.pid, 0, 0), message.at, message.count);
        break;
    case ALL: is_all = 1; break;
    default: errno = EPROTO; give_up("an unknown message");
    }
}

/* Where that is not granted everything takes its turn. */
static void schedule(int policy) {
    struct sched_param parameters = {.sched_priority = policy == SCHED_OTHER ? 0 : 1};
    sched_setscheduler(0, policy, &parameters);
}

static void take_turns(int number) {
    (void)number;
    schedule(SCHED_OTHER);
}

/* A room stands still for every page that it waits for. */
static void go_ahead(void) {
    signal(SIGALRM, take_turns);
    schedule(SCHED_RR);
    alarm(MOST_SECONDS_AHEAD);
}

static int listen_for_criu(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "lazy-pages.socket"};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(fd, "socket");
    unlink(address.sun_path);
    check(bind(fd, (struct sockaddr *)&address, sizeof address), "bind");
    check(listen(fd, 1), "listen");
    return fd;
}

static int receive_descriptor(int from) {
    char byte, control[CMSG_SPACE(sizeof(int))];
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    check(recvmsg(from, &message, MSG_CMSG_CLOEXEC) < 1 ? -1 : 0, "a descriptor from criu");
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    if (head == NULL || head->cmsg_type != SCM_RIGHTS) give_up("no descriptor from criu");
    int fd;
    memcpy(&fd, CMSG_DATA(head), sizeof fd);
    return fd;
}

static void read_criu(int criu) {
    int32_t pid;
    ssize_t got = recv(criu, &pid, sizeof pid, MSG_WAITALL);
    /* A restore that failed has left no process. */
    if (got != sizeof pid && !is_restored) give_up("criu has ended");
    else if (got == sizeof pid && pid == RESTORE_FINISHED) is_restored = 1;
    else if (got == sizeof pid && pid > 0) add_task((uint32_t)pid, receive_descriptor(criu), told_of((uint32_t)pid));
}

/*
 * The last ones first: taking from the end moves nothing, and criu registers them last.
 * @returns for how long the next try can wait, ms; -1 when nothing is left to give that has come
 */
static int give_some(void) {
    int waits_ms = -1;
    for (size_t i = 0; i < task_count; i++)
        for (size_t at = tasks[i].count; at-- > 0;)
            if (tasks[i].runs[at].arrived) {
                if (give(&tasks[i], tasks[i].runs[at].page, AT_ONCE)) return 0;
                waits_ms = TRY_AGAIN_MS;
                break;
            }
    return waits_ms;
}

static int is_complete(void) {
    if (!is_restored || !is_all) return 0;
    for (size_t i = 0; i < task_count; i++)
        if (tasks[i].count > 0) return 0;
    return 1;
}

/* Of the container's first process, once the agent has written it down: before that nothing of it is continued. */
static int container(void) {
    char text[16] = {0};
    int fd = open("pid", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t count = read(fd, text, sizeof text - 1);
    close(fd);
    return count > 0 ? atoi(text) : 0;
}

/* The kernel lets a first process end after all others. */
static int has_ended(int pid) {
    char path[32], text[512] = {0};
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 1;
    ssize_t count = read(fd, text, sizeof text - 1);
    close(fd);
    char *state = count > 0 ? strrchr(text, ')') : NULL;
    return state == NULL || state[2] == 'Z' || state[2] == 'X';
}

/*
 * A process without its memory would go on with zeros once nobody holds the descriptors: until the container has ended,
 * or the agent has, which then never continues it, this process does.
 */
static void end_container(void) {
    struct message failed = {.type = FAILED};
    send(LINE, &failed, sizeof failed, MSG_NOSIGNAL);
    for (;;) {
        struct pollfd line = {LINE, 0, 0};
        poll(&line, 1, TRY_AGAIN_MS);
        int is_alone = (line.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0, pid = container();
        if (pid <= 1 && is_alone) return;
        if (pid <= 1) continue;
        kill(pid, SIGKILL);
        if (has_ended(pid)) return;
        if (is_alone) nanosleep(&(struct timespec){.tv_nsec = TRY_AGAIN_MS * 1000000}, NULL);
    }
}

static void outlive(int number) {
    (void)number;
    end_container();
    _exit(1);
}

static void give_all(void) {
    int listener = listen_for_criu(), criu = -1;
    while (!is_complete()) {
        struct pollfd polled[MOST_TASKS + 2] = {{is_all ? -1 : LINE, POLLIN, 0}, {criu < 0 ? listener : criu, POLLIN, 0}};
        size_t count_polled = task_count;
        /* Before everything is told, a page that is not known might still be one. */
        for (size_t i = 0; i < count_polled; i++) polled[i + 2] = (struct pollfd){is_told ? tasks[i].uffd : -1, POLLIN, 0};
        if (!is_told) polled[1].fd = -1;
        if (is_restored) polled[1].fd = -1;
        int timeout = is_told ? give_some() : -1;
        for (size_t i = 0; timeout < 0 && i < count_polled; i++)
            if (tasks[i].waits > 0) timeout = TRY_AGAIN_MS;
        if (poll(polled, count_polled + 2, timeout) < 0 && errno != EINTR) give_up("poll");
        if (polled[0].revents) read_line();
        for (size_t i = 0; i < count_polled; i++)
            if (polled[i + 2].revents || tasks[i].waits > 0) read_events(&tasks[i]);
        if (polled[1].revents && criu < 0) {
            criu = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
            go_ahead();
        } else if (polled[1].revents) read_criu(criu);
    }
}

/*
 * lazy-pages WORK IMAGES
 *   waits at WORK/lazy-pages.socket for criu, which restores a container whose process id will be in WORK/pid. On
 *   descriptor 3 the agent says before, in messages of fixed size, which pages each process has and where their bytes
 *   are (RUN: page `at` of pages-ID.img in the folder IMAGES, or in ahead-ROUND within; of lazy-PID.img for ID 0, whose
 *   pages come later), that these are all (TOLD), which of the latter have come (ARRIVED), and that all have (ALL); it
 *   is told which are waited for (WANTED) and that the container has everything (DONE), whereupon this program ends.
 *   Without the agent before ALL, or after an error (FAILED), the container is killed: what is missing would be read as
 *   zeros. So that nobody reads those if this program is killed, it is two processes with the same descriptors, each of
 *   which ends the container if it is the last. From when criu comes on, for three seconds at most, it works ahead of
 *   everything else on its host.
 */
int main(int count, char **arguments) {
    int status;
    if (count != 3) {
        fprintf(stderr, "usage: lazy-pages WORK IMAGES\n");
        return 2;
    }
    images = open(arguments[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    check(images, arguments[2]);
    check(chdir(arguments[1]), arguments[1]);
    pid_t keeper = getpid();
    pid_t giver = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
    check((int)giver, "clone");
    if (giver == 0) {
        signal(SIGUSR1, outlive);
        check(prctl(PR_SET_PDEATHSIG, SIGUSR1), "a signal at the other's end");
        if (getppid() != keeper) _exit(1);
        memset(passing, 1, sizeof passing);
        give_all();
        say((struct message){.type = DONE});
        _exit(0);
    }
    while (waitpid(giver, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return 0;
    end_container();
    return 1;
}
