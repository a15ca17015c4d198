/*
 * The test network's backbone: a learning Ethernet switch with a link of its own between every two ports,
 * each direction with delay, jitter, loss and bandwidth, changeable while it runs.
 *
 * Delay belongs to the pair of places, and a moving VM changes place: a switch that learns where a MAC
 * lives follows by itself, which per-address rules of a kernel qdisc would not. Segments that a sender
 * handed down whole (up to 64 KB) cross whole, so the emulation costs little CPU.
 */

/*
 *   switch <control socket> <port>=<network namespace path>...
 *
 * Control, one line each: `link <from> <to> <delay us> <jitter us> <loss ppm> <bytes/s> <up>`, `stats`,
 * `where` (which MAC is at which port).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define MAX_PORTS 64
#define MAX_CONTROLS 8
#define MAC_SLOTS 1024
/* virtio_net_hdr in front of every frame. */
#define HEADER_BYTES 10
#define FRAME_BYTES (HEADER_BYTES + 65536 + 64)
/* A router's buffer: what waits longer than this for its turn on a full link is dropped. */
#define BUFFER_NS 200000000LL
#define QUEUE_BYTES (256LL << 20)
/* Frames read from one port before the others get their turn. */
#define BURST 32

typedef struct {
  int64_t delayNs, jitterNs, bytesPerS;
  uint32_t lossPpm;
  bool down;
  int64_t freeAtNs, lastDueNs;
  uint64_t frames, bytes, dropped;
} Link;

typedef struct {
  int64_t dueNs;
  uint64_t order;
  int to;
  uint32_t length;
  unsigned char *frame;
} Queued;

static int ports;
static char names[MAX_PORTS][32];
static int taps[MAX_PORTS];
static Link links[MAX_PORTS][MAX_PORTS];
static struct {
  uint64_t mac;
  int port;
} places[MAC_SLOTS];
static Queued *heap;
static size_t heapUsed, heapRoom;
static int64_t queuedBytes;
static uint64_t nextOrder;

static int64_t nowNs(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void fail(const char *what) {
  fprintf(stderr, "switch: %s: %s\n", what, strerror(errno));
  exit(1);
}

static bool earlier(const Queued *a, const Queued *b) {
  return a->dueNs != b->dueNs ? a->dueNs < b->dueNs : a->order < b->order;
}

static void swap(size_t a, size_t b) {
  Queued kept = heap[a];
  heap[a] = heap[b];
  heap[b] = kept;
}

static void push(Queued item) {
  if (heapUsed == heapRoom) {
    heapRoom = heapRoom == 0 ? 1024 : heapRoom * 2;
    heap = realloc(heap, heapRoom * sizeof *heap);
    if (heap == NULL) fail("queue");
  }
  size_t at = heapUsed++;
  heap[at] = item;
  while (at > 0 && earlier(&heap[at], &heap[(at - 1) / 2])) {
    swap(at, (at - 1) / 2);
    at = (at - 1) / 2;
  }
}

static Queued pop(void) {
  Queued first = heap[0];
  heap[0] = heap[--heapUsed];
  for (size_t at = 0;;) {
    size_t least = at, left = 2 * at + 1, right = left + 1;
    if (left < heapUsed && earlier(&heap[left], &heap[least])) least = left;
    if (right < heapUsed && earlier(&heap[right], &heap[least])) least = right;
    if (least == at) return first;
    swap(at, least);
    at = least;
  }
}

static uint64_t macOf(const unsigned char *bytes) {
  uint64_t mac = 0;
  for (int i = 0; i < 6; i++) mac = mac << 8 | bytes[i];
  return mac;
}

/* The slot of a MAC, or a free one; the table is far larger than any lab. */
static int slotOf(uint64_t mac) {
  size_t slot = (mac * 0x9e3779b97f4a7c15ULL) >> 54;
  for (int tries = 0; tries < MAC_SLOTS; tries++, slot = (slot + 1) % MAC_SLOTS) {
    if (places[slot].mac == mac || places[slot].mac == 0) return (int)slot;
  }
  return 0;
}

static void deliver(int to, const unsigned char *frame, size_t length) {
  if (write(taps[to], frame, length) < 0 && errno != EAGAIN && errno != EIO && errno != EINVAL) {
    fprintf(stderr, "switch: %s: %s\n", names[to], strerror(errno));
  }
}

static void cross(int from, int to, const unsigned char *frame, size_t length, int64_t now) {
  Link *link = &links[from][to];
  bool lost = link->lossPpm > 0 && (uint32_t)(random() % 1000000) < link->lossPpm;
  if (link->down || lost || queuedBytes > QUEUE_BYTES) {
    link->dropped++;
    return;
  }
  int64_t due = now;
  if (link->bytesPerS > 0) {
    int64_t start = link->freeAtNs > now ? link->freeAtNs : now;
    if (start - now > BUFFER_NS) {
      link->dropped++;
      return;
    }
    link->freeAtNs = start + (int64_t)((double)length * 1e9 / (double)link->bytesPerS);
    due = link->freeAtNs;
  }
  due += link->delayNs;
  if (link->jitterNs > 0) due += (int64_t)(((double)random() / RAND_MAX * 2 - 1) * (double)link->jitterNs);
  /* Jitter must not reorder: a real path's packets queue behind each other. */
  if (due < link->lastDueNs) due = link->lastDueNs;
  link->frames++;
  link->bytes += length;
  if (due <= now) {
    deliver(to, frame, length);
    return;
  }
  link->lastDueNs = due;
  unsigned char *copy = malloc(length);
  if (copy == NULL) return;
  memcpy(copy, frame, length);
  queuedBytes += (int64_t)length;
  push((Queued){due, nextOrder++, to, (uint32_t)length, copy});
}

static void receive(int from) {
  static unsigned char frame[FRAME_BYTES];
  for (int i = 0; i < BURST; i++) {
    ssize_t length = read(taps[from], frame, sizeof frame);
    if (length < HEADER_BYTES + 14) return;
    int64_t now = nowNs();
    uint64_t target = macOf(frame + HEADER_BYTES), source = macOf(frame + HEADER_BYTES + 6);
    int place = slotOf(source);
    places[place].mac = source;
    places[place].port = from;
    int known = slotOf(target);
    bool group = frame[HEADER_BYTES] & 1;
    if (!group && places[known].mac == target) {
      if (places[known].port != from) cross(from, places[known].port, frame, (size_t)length, now);
      continue;
    }
    for (int to = 0; to < ports; to++) {
      if (to != from) cross(from, to, frame, (size_t)length, now);
    }
  }
}

static int portNamed(const char *name) {
  for (int i = 0; i < ports; i++) {
    if (strcmp(names[i], name) == 0) return i;
  }
  return -1;
}

static void answerStats(int fd) {
  FILE *out = fdopen(dup(fd), "w");
  if (out == NULL) return;
  fprintf(out, "[");
  bool first = true;
  for (int from = 0; from < ports; from++) {
    for (int to = 0; to < ports; to++) {
      Link *link = &links[from][to];
      if (from == to) continue;
      fprintf(out, "%s{\"from\":\"%s\",\"to\":\"%s\",\"frames\":%llu,\"bytes\":%llu,\"dropped\":%llu}",
              first ? "" : ",", names[from], names[to], (unsigned long long)link->frames,
              (unsigned long long)link->bytes, (unsigned long long)link->dropped);
      first = false;
    }
  }
  fprintf(out, "]\n");
  fclose(out);
}

static void answerWhere(int fd) {
  FILE *out = fdopen(dup(fd), "w");
  if (out == NULL) return;
  fprintf(out, "{");
  bool first = true;
  for (int slot = 0; slot < MAC_SLOTS; slot++) {
    if (places[slot].mac == 0) continue;
    fprintf(out, "%s\"%012llx\":\"%s\"", first ? "" : ",", (unsigned long long)places[slot].mac,
            names[places[slot].port]);
    first = false;
  }
  fprintf(out, "}\n");
  fclose(out);
}

static void obey(int fd, char *line) {
  char from[32], to[32];
  long long delayUs, jitterUs, bytesPerS;
  unsigned lossPpm;
  int up;
  if (strcmp(line, "stats") == 0) {
    answerStats(fd);
    return;
  }
  if (strcmp(line, "where") == 0) {
    answerWhere(fd);
    return;
  }
  if (sscanf(line, "link %31s %31s %lld %lld %u %lld %d", from, to, &delayUs, &jitterUs, &lossPpm, &bytesPerS,
             &up) != 7 ||
      portNamed(from) < 0 || portNamed(to) < 0) {
    dprintf(fd, "error: no such command or port\n");
    return;
  }
  Link *link = &links[portNamed(from)][portNamed(to)];
  link->delayNs = delayUs * 1000;
  link->jitterNs = jitterUs * 1000;
  link->lossPpm = lossPpm;
  link->bytesPerS = bytesPerS;
  link->down = up == 0;
  link->lastDueNs = link->freeAtNs = 0;
  dprintf(fd, "ok\n");
}

static int openPort(const char *namespacePath) {
  int namespace = open(namespacePath, O_RDONLY | O_CLOEXEC);
  if (namespace < 0 || setns(namespace, CLONE_NEWNET) != 0) fail(namespacePath);
  close(namespace);
  int tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  struct ifreq request = {.ifr_name = "up0"};
  request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
  if (tap < 0 || ioctl(tap, TUNSETIFF, &request) != 0) fail("/dev/net/tun");
  if (ioctl(tap, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4) != 0) fail("offload");
  return tap;
}

static int listenAt(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  unlink(path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 8) != 0) fail(path);
  return fd;
}

int main(int argc, char **argv) {
  if (argc < 3 || argc - 2 > MAX_PORTS) {
    fprintf(stderr, "usage: switch <control socket> <port>=<network namespace path>...\n");
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_TIMERSLACK, 1);
  for (int i = 2; i < argc; i++) {
    char *path = strchr(argv[i], '=');
    if (path == NULL) fail(argv[i]);
    *path++ = '\0';
    strncpy(names[ports], argv[i], sizeof names[0] - 1);
    taps[ports++] = openPort(path);
  }
  int listener = listenAt(argv[1]);
  int controls[MAX_CONTROLS];
  for (int i = 0; i < MAX_CONTROLS; i++) controls[i] = -1;
  for (;;) {
    struct pollfd watched[MAX_PORTS + 1 + MAX_CONTROLS];
    for (int i = 0; i < ports; i++) watched[i] = (struct pollfd){taps[i], POLLIN, 0};
    watched[ports] = (struct pollfd){listener, POLLIN, 0};
    for (int i = 0; i < MAX_CONTROLS; i++) watched[ports + 1 + i] = (struct pollfd){controls[i], POLLIN, 0};
    struct timespec wait = {0, 0};
    if (heapUsed > 0) {
      int64_t left = heap[0].dueNs - nowNs();
      if (left > 0) wait = (struct timespec){left / 1000000000LL, left % 1000000000LL};
    }
    if (ppoll(watched, (nfds_t)(ports + 1 + MAX_CONTROLS), heapUsed > 0 ? &wait : NULL, NULL) < 0) continue;
    int64_t now = nowNs();
    while (heapUsed > 0 && heap[0].dueNs <= now) {
      Queued item = pop();
      deliver(item.to, item.frame, item.length);
      queuedBytes -= item.length;
      free(item.frame);
    }
    for (int i = 0; i < ports; i++) {
      if (watched[i].revents & POLLIN) receive(i);
    }
    for (int i = 0; i < MAX_CONTROLS; i++) {
      if (controls[i] < 0 || watched[ports + 1 + i].revents == 0) continue;
      char line[256];
      ssize_t got = read(controls[i], line, sizeof line - 1);
      if (got <= 0) {
        close(controls[i]);
        controls[i] = -1;
        continue;
      }
      line[got] = '\0';
      /* Clients send one line and wait for its answer. */
      line[strcspn(line, "\n")] = '\0';
      obey(controls[i], line);
    }
    if (watched[ports].revents & POLLIN) {
      int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
      int slot = 0;
      while (slot < MAX_CONTROLS && controls[slot] >= 0) slot++;
      if (slot == MAX_CONTROLS) close(client);
      else controls[slot] = client;
    }
  }
}
