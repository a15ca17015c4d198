/*
 * Gives a restored container its memory while it runs already. criu registers the memory with userfaultfd and hands the
 * descriptors over; pages come from images on this host, and from those that the source of the move still sends.
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
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { LINE = 3, PAGE_SHIFT = 12, PAGE_BYTES = 1 << PAGE_SHIFT, MOST_TASKS = 64, MOST_FILES = 256, MOST_WAITING = 256 };
/* criu's word for "everything is restored", where the number of the next process would be. */
enum { RESTORE_FINISHED = 0x52535446 };
/* Pages given at a fault, since the next ones are wanted soon; and at once while nobody waits. */
enum { AROUND_FAULT = 16, AT_ONCE = 32 };
/* What a process does to its memory is over by then. */
enum { TRY_AGAIN_MS = 1, MOST_SECONDS_AHEAD = 3 };

enum { RUN = 1, TOLD = 2, ARRIVED = 3, ALL = 4, WANTED = 1, DONE = 2 };
/* What the agent says and is told, in this machine's byte order. `round` 0 is what comes after the switch. */
struct message {
    uint32_t type, pid, round, unused;
    uint64_t page, count, at;
};

struct file {
    uint32_t pid, round;
    uint64_t pages;
    char *bytes;
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

/* A process without its memory must not go on with zeros. */
static void give_up(const char *why) {
    FILE *file = fopen("pid", "re");
    int pid = 0;
    fprintf(stderr, "lazy-pages: %s: %s\n", why, strerror(errno));
    if (file != NULL && fscanf(file, "%d", &pid) == 1 && pid > 1) kill(pid, SIGKILL);
    _exit(1);
}

static void check(int result, const char *what) {
    if (result < 0) give_up(what);
}

static unsigned file_of(uint32_t pid, uint32_t round) {
    for (unsigned i = 0; i < file_count; i++)
        if (files[i].pid == pid && files[i].round == round) return i;
    if (file_count == MOST_FILES) give_up("too many files");
    char path[64];
    struct stat stat;
    if (round == 0) snprintf(path, sizeof path, "lazy-%u.img", pid);
    else snprintf(path, sizeof path, "ahead-%u/pages-%u.img", round, pid);
    int fd = openat(images, path, O_RDONLY | O_CLOEXEC);
    check(fd, path);
    check(fstat(fd, &stat), path);
    void *bytes = stat.st_size == 0 ? NULL : mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (bytes == MAP_FAILED) give_up(path);
    close(fd);
    files[file_count] = (struct file){pid, round, (uint64_t)stat.st_size >> PAGE_SHIFT, bytes};
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
    struct uffdio_copy copy = {
        .dst = page << PAGE_SHIFT,
        .src = (uintptr_t)file->bytes + ((run->at + skipped) << PAGE_SHIFT),
        .len = count << PAGE_SHIFT,
    };
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
        /* More than one mapping at once, or none any more. */
        if (count > 1) return give(task, page, 1);
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
    if (got != sizeof message) {
        if (!is_all) give_up("the agent has ended");
        close(LINE);
        return;
    }
    switch (message.type) {
    case RUN: {
        struct task *task = told_of(message.pid);
        struct run run = {message.page, message.count, message.at, file_of(message.pid, message.round), message.round != 0};
        insert(task, seek(task, run.page), run);
        break;
    }
    case TOLD: is_told = 1; break;
    case ARRIVED:
        /* criu may not have come with the process yet. */
        mark_arrived(told_of(message.pid), file_of(message.pid, 0), message.at, message.count);
        for (size_t i = 0; i < task_count; i++)
            if (tasks[i].pid == message.pid) mark_arrived(&tasks[i], file_of(message.pid, 0), message.at, message.count);
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

/* @returns 0 when nothing is left to give that has come */
static int give_some(void) {
    for (size_t i = 0; i < task_count; i++)
        for (size_t at = 0; at < tasks[i].count; at++)
            if (tasks[i].runs[at].arrived) {
                give(&tasks[i], tasks[i].runs[at].page, AT_ONCE);
                return 1;
            }
    return 0;
}

static int is_complete(void) {
    if (!is_restored || !is_all) return 0;
    for (size_t i = 0; i < task_count; i++)
        if (tasks[i].count > 0) return 0;
    return 1;
}

/*
 * lazy-pages WORK IMAGES
 *   waits at WORK/lazy-pages.socket for criu, which restores a container whose process id will be in WORK/pid. On
 *   descriptor 3 the agent says before, in messages of fixed size, which pages each process has and where their bytes
 *   are (RUN: in the folder IMAGES, page `at` of ahead-ROUND/pages-PID.img, or of lazy-PID.img for round 0, whose pages
 *   come later), that these are all (TOLD), which of the latter have come (ARRIVED), and that all have (ALL); it is told
 *   which are waited for (WANTED) and that the container has everything (DONE), whereupon this program ends. Without the
 *   agent before ALL, or after an error, the container is killed: what is missing would be read as zeros. From
 *   when criu comes on, for three seconds at most, it works ahead of everything else on its host.
 */
int main(int count, char **arguments) {
    if (count != 3) {
        fprintf(stderr, "usage: lazy-pages WORK IMAGES\n");
        return 2;
    }
    images = open(arguments[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    check(images, arguments[2]);
    check(chdir(arguments[1]), arguments[1]);
    int listener = listen_for_criu(), criu = -1;
    while (!is_complete()) {
        struct pollfd polled[MOST_TASKS + 2] = {{is_all ? -1 : LINE, POLLIN, 0}, {criu < 0 ? listener : criu, POLLIN, 0}};
        size_t count_polled = task_count;
        /* Before everything is told, a page that is not known might still be one. */
        for (size_t i = 0; i < count_polled; i++) polled[i + 2] = (struct pollfd){is_told ? tasks[i].uffd : -1, POLLIN, 0};
        if (!is_told) polled[1].fd = -1;
        if (is_restored) polled[1].fd = -1;
        int timeout = is_restored && give_some() ? 0 : -1;
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
    say((struct message){.type = DONE});
    return 0;
}
