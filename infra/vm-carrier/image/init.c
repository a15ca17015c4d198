/*
 * The guest's first process: loads the virtio modules, starts the room host and relays one control line
 * protocol between the second serial port (the agent) and the room host (its file descriptor 3).
 *
 * A restored clone shares its template's MAC, address, clock and entropy until the agent sends
 *   identity <mac> <ip> <prefix> <gateway|-> <unix ms> <128 hex digits of entropy>
 * Everything else on the line is passed on. The clock stays in the past until then: the jump makes
 * OpenSSL's generators reseed from the kernel, which has just been reseeded itself.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/random.h>
#include <net/route.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* A checkpoint of a large room is one line. */
#define LINE_BYTES (8 << 20)
#define ENTROPY_BYTES 64
/* 2001-09-09: any real clock is far ahead of it. */
#define TEMPLATE_EPOCH 1000000000

static int controlPort = -1;
static int roomHost = -1;

static void report(const char *what) {
  dprintf(STDOUT_FILENO, "init: %s: %s\n", what, errno == 0 ? "ok" : strerror(errno));
}

static void powerOff(void) {
  sync();
  reboot(RB_POWER_OFF);
  for (;;) pause();
}

static void loadModules(void) {
  FILE *order = fopen("/modules/order", "re");
  char name[256];
  while (order != NULL && fgets(name, sizeof name, order) != NULL) {
    name[strcspn(name, "\n")] = '\0';
    int module = open(name, O_RDONLY | O_CLOEXEC);
    if (module < 0 || syscall(SYS_finit_module, module, "", 0) != 0) report(name);
    if (module >= 0) close(module);
  }
  if (order != NULL) fclose(order);
}

static void setClock(int64_t unixMs) {
  struct timespec now = {.tv_sec = unixMs / 1000, .tv_nsec = (unixMs % 1000) * 1000000};
  if (clock_settime(CLOCK_REALTIME, &now) != 0) report("clock_settime");
}

static void addEntropy(const char *hex) {
  struct {
    int bits;
    int bytes;
    unsigned char data[ENTROPY_BYTES];
  } pool = {.bits = ENTROPY_BYTES * 8, .bytes = ENTROPY_BYTES};
  for (int i = 0; i < ENTROPY_BYTES; i++) {
    unsigned value = 0;
    if (sscanf(hex + 2 * i, "%2x", &value) != 1) return;
    pool.data[i] = (unsigned char)value;
  }
  int device = open("/dev/random", O_WRONLY | O_CLOEXEC);
  if (ioctl(device, RNDADDENTROPY, &pool) != 0 || ioctl(device, RNDRESEEDCRNG) != 0) report("entropy");
  close(device);
}

static void setFlags(int fd, const char *name, int set, int clear) {
  struct ifreq request = {0};
  strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  if (ioctl(fd, SIOCGIFFLAGS, &request) != 0) report(name);
  request.ifr_flags = (short)((request.ifr_flags | set) & ~clear);
  if (ioctl(fd, SIOCSIFFLAGS, &request) != 0) report(name);
}

static void setAddress(int fd, unsigned long what, in_addr_t address) {
  struct ifreq request = {.ifr_name = "eth0"};
  struct sockaddr_in *in = (struct sockaddr_in *)&request.ifr_addr;
  in->sin_family = AF_INET;
  in->sin_addr.s_addr = address;
  if (ioctl(fd, what, &request) != 0) report("address");
}

/* Tells switches and neighbours where this address lives. */
static void announce(const unsigned char *mac, in_addr_t address) {
  struct {
    struct ether_header ethernet;
    struct arphdr arp;
    unsigned char senderMac[6];
    in_addr_t senderIp;
    unsigned char targetMac[6];
    in_addr_t targetIp;
  } __attribute__((packed)) frame = {0};
  memset(frame.ethernet.ether_dhost, 0xff, 6);
  memcpy(frame.ethernet.ether_shost, mac, 6);
  frame.ethernet.ether_type = htons(ETHERTYPE_ARP);
  frame.arp = (struct arphdr){htons(ARPHRD_ETHER), htons(ETHERTYPE_IP), 6, 4, htons(ARPOP_REQUEST)};
  memcpy(frame.senderMac, mac, 6);
  frame.senderIp = frame.targetIp = address;
  int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ARP));
  struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex("eth0"), .sll_halen = 6};
  memset(to.sll_addr, 0xff, 6);
  if (sendto(fd, &frame, sizeof frame, 0, (struct sockaddr *)&to, sizeof to) < 0) report("announce");
  close(fd);
}

static void takeIdentity(const char *line) {
  unsigned mac[6];
  char ip[64], gateway[64], entropy[2 * ENTROPY_BYTES + 1];
  int prefix;
  long long unixMs;
  errno = 0;
  if (sscanf(line, "identity %x:%x:%x:%x:%x:%x %63s %d %63s %lld %128s", &mac[0], &mac[1], &mac[2], &mac[3],
             &mac[4], &mac[5], ip, &prefix, gateway, &unixMs, entropy) != 11 ||
      prefix < 1 || prefix > 32 || strlen(entropy) != 2 * ENTROPY_BYTES) {
    dprintf(controlPort, "refused identity\n");
    return;
  }
  addEntropy(entropy);
  setClock(unixMs);
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  setFlags(fd, "lo", IFF_UP, 0);
  setFlags(fd, "eth0", 0, IFF_UP);
  struct ifreq request = {.ifr_name = "eth0"};
  request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
  unsigned char bytes[6];
  for (int i = 0; i < 6; i++) request.ifr_hwaddr.sa_data[i] = (char)(bytes[i] = (unsigned char)mac[i]);
  if (ioctl(fd, SIOCSIFHWADDR, &request) != 0) report("mac");
  in_addr_t address = inet_addr(ip);
  setAddress(fd, SIOCSIFADDR, address);
  setAddress(fd, SIOCSIFNETMASK, htonl(prefix == 32 ? 0xffffffffu : ~(0xffffffffu >> prefix)));
  setFlags(fd, "eth0", IFF_UP | IFF_RUNNING, 0);
  if (strcmp(gateway, "-") != 0) {
    struct rtentry route = {.rt_flags = RTF_UP | RTF_GATEWAY};
    ((struct sockaddr_in *)&route.rt_dst)->sin_family = AF_INET;
    ((struct sockaddr_in *)&route.rt_genmask)->sin_family = AF_INET;
    *(struct sockaddr_in *)&route.rt_gateway =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = inet_addr(gateway)};
    if (ioctl(fd, SIOCADDRT, &route) != 0 && errno != EEXIST) report("route");
  }
  close(fd);
  announce(bytes, address);
  if (roomHost >= 0) dprintf(roomHost, "identity %s\n", ip);
  dprintf(controlPort, "identified %s\n", ip);
}

static int openControlPort(void) {
  int fd = open("/dev/ttyS1", O_RDWR | O_NOCTTY | O_CLOEXEC);
  struct termios mode;
  if (fd < 0 || tcgetattr(fd, &mode) != 0) return fd;
  cfmakeraw(&mode);
  cfsetspeed(&mode, B115200);
  tcsetattr(fd, TCSANOW, &mode);
  return fd;
}

static pid_t startRoomHost(void) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return -1;
  pid_t pid = fork();
  if (pid == 0) {
    dup2(pair[1], 3);
    setsid();
    char *arguments[] = {"node", "--max-old-space-size=96", "/app/main.mjs", NULL};
    char *environment[] = {"PATH=/bin", "HOME=/tmp", "NODE_ENV=production", "CENTROID_CONTROL_FD=3", NULL};
    execve("/bin/node", arguments, environment);
    report("node");
    _exit(127);
  }
  close(pair[1]);
  roomHost = pair[0];
  return pid;
}

/* Passes complete lines on; keeps the rest. Returns false when the other side has closed. */
static int relay(int from, char *buffer, size_t *used, void (*handle)(char *line)) {
  ssize_t got = read(from, buffer + *used, LINE_BYTES - 1 - *used);
  if (got <= 0) return got < 0 && errno == EINTR;
  *used += (size_t)got;
  buffer[*used] = '\0';
  char *start = buffer, *end;
  while ((end = strchr(start, '\n')) != NULL) {
    *end = '\0';
    handle(start);
    start = end + 1;
  }
  *used -= (size_t)(start - buffer);
  memmove(buffer, start, *used);
  if (*used == LINE_BYTES - 1) *used = 0; /* Longer than any line of the protocol. */
  return 1;
}

static void fromAgent(char *line) {
  if (strncmp(line, "identity ", 9) == 0) {
    takeIdentity(line);
  } else if (strcmp(line, "ping") == 0) {
    dprintf(controlPort, "pong\n");
  } else if (roomHost >= 0) {
    dprintf(roomHost, "%s\n", line);
  }
}

static void fromRoomHost(char *line) { dprintf(controlPort, "%s\n", line); }

int main(void) {
  mount("proc", "/proc", "proc", MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL);
  mount("sys", "/sys", "sysfs", MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL);
  mount("dev", "/dev", "devtmpfs", MS_NOSUID, NULL);
  mount("tmp", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "size=32m");
  int console = open("/dev/console", O_RDWR | O_NOCTTY);
  for (int fd = 0; fd < 3; fd++) dup2(console, fd);
  signal(SIGPIPE, SIG_IGN);
  setClock((int64_t)TEMPLATE_EPOCH * 1000);
  loadModules();
  controlPort = openControlPort();
  if (controlPort < 0) report("/dev/ttyS1");
  pid_t node = startRoomHost();
  static char agentLine[LINE_BYTES], roomHostLine[LINE_BYTES];
  size_t agentUsed = 0, roomHostUsed = 0;
  for (;;) {
    struct pollfd ports[] = {{controlPort, POLLIN, 0}, {roomHost, POLLIN, 0}};
    if (poll(ports, 2, -1) < 0 && errno != EINTR) break;
    if (ports[0].revents != 0 && !relay(controlPort, agentLine, &agentUsed, fromAgent)) {
      close(controlPort);
      controlPort = openControlPort();
    }
    if (ports[1].revents != 0 && !relay(roomHost, roomHostLine, &roomHostUsed, fromRoomHost)) {
      close(roomHost);
      roomHost = -1;
    }
    int status;
    pid_t gone;
    while ((gone = waitpid(-1, &status, WNOHANG)) > 0) {
      if (gone != node) continue;
      dprintf(STDOUT_FILENO, "init: the room host ended with status %d\n", status);
      dprintf(controlPort, "ended %d\n", status);
      tcdrain(controlPort);
      powerOff();
    }
    if (roomHost < 0) usleep(100000); /* Closed but not reaped yet: ask again soon. */
  }
  powerOff();
}
