/*
 * Starts criu before it is needed and lets it wait; passes one request on to it, plugs or unplugs the container's
 * network card at the right moment, and works ahead of everything else on its host while a room stands still.
 * How it is called is said above main().
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Namespaces in which criu works: network, host name, IPC. */
enum { FIRST_NAMESPACE = 3, NAMESPACES = 3 };
/* Of criu and this program alike, so that a request can name them. */
enum { CRIU_SOCKET = 6, WORK_FOLDER = 7, IMAGES_FOLDER = 8 };
enum { MOST_BYTES = 1 << 16, MOST_SECONDS_AHEAD = 3 };
/* protobuf of criu's rpc.proto: a request of type NOTIFY that succeeded, and how a response of that type begins. */
static const unsigned char notified[] = {0x08, 6, 0x18, 1}, notification[] = {0x08, 6};

static pid_t criu, parent;

static void die(const char *what) {
    fprintf(stderr, "criu-worker: %s: %s\n", what, strerror(errno));
    _exit(1);
}

static void check(int result, const char *what) {
    if (result < 0) die(what);
}

/* Where that is not granted everything takes its turn. */
static void schedule(int policy) {
    struct sched_param parameters = {.sched_priority = policy == SCHED_OTHER ? 0 : 1};
    sched_setscheduler(0, policy, &parameters);
    /* What the agent starts meanwhile is not of this move, and its control groups take nothing that goes ahead. */
    if (getppid() == parent) sched_setscheduler(parent, policy | SCHED_RESET_ON_FORK, &parameters);
    if (criu > 0) sched_setscheduler(criu, policy, &parameters);
}

static void take_turns(int number) {
    (void)number;
    schedule(SCHED_OTHER);
}

static void go_ahead(void) {
    schedule(SCHED_RR);
    alarm(MOST_SECONDS_AHEAD);
}

/* What criu works on is lost. */
static void give_up_criu(int number) {
    (void)number;
    if (criu > 0) kill(criu, SIGKILL);
}

static int plug(const char *bridge, const char *card, int in) {
    struct ifreq request = {.ifr_ifindex = (int)if_nametoindex(card)};
    if (request.ifr_ifindex == 0) return -1;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", bridge);
    int result = ioctl(fd, in ? SIOCBRADDIF : SIOCBRDELIF, &request);
    close(fd);
    return result;
}

/* Rooms' folders may be in /run/centroid, and stay there. */
static void replace_run(const char *folder) {
    char path[4096];
    check(unshare(CLONE_NEWNS), "mount namespace");
    check(mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL), "own mounts");
    snprintf(path, sizeof path, "%s/centroid", folder);
    if (access("/run/centroid", F_OK) == 0) {
        if (mkdir(path, 0700) < 0 && errno != EEXIST) die(path);
        check(mount("/run/centroid", path, NULL, MS_BIND | MS_REC, NULL), "bind /run/centroid");
    }
    check(mount(folder, "/run", NULL, MS_BIND | MS_REC, NULL), "bind /run");
}

static void open_as(int fd, const char *folder) {
    int opened = open(folder, O_RDONLY | O_DIRECTORY);
    check(opened, folder);
    check(dup2(opened, fd), "dup2");
    close(opened);
}

static void join_group(const char *procs) {
    int fd = open(procs, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "0", 1) < 0) die(procs);
    close(fd);
}

static void become_criu(const char *program, const char *run, char **groups) {
    char number[8];
    int null = open("/dev/null", O_RDWR);
    check(null, "/dev/null");
    for (int fd = 0; fd < 3; fd++) dup2(null, fd);
    close(null);
    for (; *groups; groups++) join_group(*groups);
    for (int fd = FIRST_NAMESPACE; fd < FIRST_NAMESPACE + NAMESPACES; fd++) {
        check(setns(fd, 0), "a namespace of the container");
        close(fd);
    }
    replace_run(run);
    snprintf(number, sizeof number, "%d", CRIU_SOCKET);
    execl(program, program, "swrk", number, NULL);
    _exit(127);
}

static int read_all(void *bytes, size_t count) {
    for (size_t done = 0; done < count;) {
        ssize_t got = read(0, (char *)bytes + done, count - done);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return 0;
        done += (size_t)got;
    }
    return 1;
}

/* @returns 0 when it was not criu that answered last */
static int serve(int line, const char *bridge, const char *card, int plugs) {
    static unsigned char bytes[MOST_BYTES];
    for (;;) {
        ssize_t count = recv(line, bytes, sizeof bytes, 0);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return 0;
        if (count < 2 || memcmp(bytes, notification, sizeof notification) != 0) {
            uint32_t length = (uint32_t)count;
            return write(1, &length, sizeof length) == sizeof length && write(1, bytes, length) == count;
        }
        /* Before, the kernel would reset connections; later, TCP waits a second for its next try. */
        if (plugs && memmem(bytes, (size_t)count, "post-restore", 12)) check(plug(bridge, card, 1), "plug");
        check((int)send(line, notified, sizeof notified, MSG_NOSIGNAL), "answer criu");
    }
}

/*
 * criu-worker plug|unplug BRIDGE CARD RUN WORK IMAGES CRIU CGROUP_PROCS...
 *   starts CRIU within those control groups, with the folder RUN as its /run: criu keeps what it has found out about the
 *   kernel there, if that is on a tmpfs, and needs a quarter of a second to find out. Then reads from its standard
 *   input lengths of 32 bits: 0 is to go ahead of everything else from now on, for three seconds at most and until the
 *   input ends; anything else is followed by a request for criu. CARD is unplugged before a request, or plugged once
 *   all sockets exist; "" is none. criu's answer goes to the standard output, after its length. SIGTERM kills criu.
 *   Descriptors 3 to 5 are the container's namespaces of network, host name and IPC, in which criu works: to write and
 *   make them would take 30 ms. WORK and IMAGES are 7 and 8.
 */
int main(int count, char **arguments) {
    static unsigned char request[MOST_BYTES];
    int line[2];
    uint32_t length;
    if (count < 8) {
        fprintf(stderr, "usage: criu-worker plug|unplug BRIDGE CARD RUN WORK IMAGES CRIU CGROUP_PROCS...\n");
        return 2;
    }
    parent = getppid();
    int plugs = strcmp(arguments[1], "plug") == 0;
    const char *bridge = arguments[2], *card = arguments[3];
    open_as(WORK_FOLDER, arguments[5]);
    open_as(IMAGES_FOLDER, arguments[6]);
    check(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, line), "socket pair");
    int own = fcntl(line[0], F_DUPFD_CLOEXEC, IMAGES_FOLDER + 1);
    check(own, "socket");
    check(dup2(line[1], CRIU_SOCKET), "dup2");
    for (int at = 0; at < 2; at++)
        if (line[at] != CRIU_SOCKET) close(line[at]);
    criu = fork();
    check((int)criu, "fork");
    if (criu == 0) become_criu(arguments[7], arguments[4], arguments + 8);
    for (int fd = FIRST_NAMESPACE; fd < FIRST_NAMESPACE + NAMESPACES; fd++) close(fd);
    close(CRIU_SOCKET);
    signal(SIGALRM, take_turns);
    signal(SIGTERM, give_up_criu);
    while (read_all(&length, sizeof length)) {
        go_ahead();
        if (length == 0) continue;
        if (length > sizeof request || !read_all(request, length)) break;
        if (!plugs && *card) plug(bridge, card, 0);
        if (send(own, request, length, MSG_NOSIGNAL) < 0 || !serve(own, bridge, card, plugs && *card)) break;
    }
    alarm(0);
    schedule(SCHED_OTHER);
    close(own);
    while (waitpid(criu, NULL, 0) < 0 && errno == EINTR) {
    }
    return 0;
}
