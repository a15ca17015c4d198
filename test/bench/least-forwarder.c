/*
 * The least that passing players' frames on can cost: bytes are copied as they come, one read per player, one write per turn,
 * one write per player and frame. No WebSockets, sessions or counters. Argument: the port to connect to. Says its own port.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { MAX_PLAYERS = 4096, MAX_EVENTS = 1024, TRUNK = MAX_PLAYERS, DOOR = MAX_PLAYERS + 1, BUFFER = 1 << 20, READ = 1 << 16 };

static int players[MAX_PLAYERS], count;
static unsigned char out[BUFFER], in[BUFFER];

static void watch(int epoll, int socket, unsigned who) {
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = who};
  int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event);
}

int main(int argc, char **argv) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof at;
  int epoll = epoll_create1(0), trunk = socket(AF_INET, SOCK_STREAM, 0), door = socket(AF_INET, SOCK_STREAM, 0);
  size_t kept = 0;
  at.sin_port = htons(argc > 1 ? atoi(argv[1]) : 0);
  if (connect(trunk, (struct sockaddr *)&at, sizeof at) != 0) return 1;
  at.sin_port = 0;
  if (bind(door, (struct sockaddr *)&at, sizeof at) != 0 || listen(door, 512) != 0) return 1;
  getsockname(door, (struct sockaddr *)&at, &length);
  watch(epoll, trunk, TRUNK);
  watch(epoll, door, DOOR);
  printf("%d\n", ntohs(at.sin_port));
  fflush(stdout);
  for (;;) {
    struct epoll_event events[MAX_EVENTS];
    int ready = epoll_wait(epoll, events, MAX_EVENTS, -1);
    size_t said = 0;
    for (int n = 0; n < ready; n++) {
      unsigned who = events[n].data.u32;
      if (who == DOOR && count < MAX_PLAYERS) {
        players[count] = accept(door, NULL, NULL);
        watch(epoll, players[count], count);
        count++;
      } else if (who == TRUNK) {
        ssize_t bytes = recv(trunk, in + kept, BUFFER - kept, 0);
        size_t from = 0;
        if (bytes <= 0) return 0;
        kept += bytes;
        while (from + 4 <= kept) {
          unsigned player = in[from] | in[from + 1] << 8, size = in[from + 2] | in[from + 3] << 8;
          if (from + 4 + size > kept) break;
          if (player < (unsigned)count) send(players[player], in + from + 4, size, MSG_NOSIGNAL);
          from += 4 + size;
        }
        memmove(in, in + from, kept - from);
        kept -= from;
      } else if (said + READ <= BUFFER) {
        ssize_t bytes = recv(players[who], out + said, READ, 0);
        if (bytes <= 0) epoll_ctl(epoll, EPOLL_CTL_DEL, players[who], NULL);
        else said += bytes;
      }
    }
    if (said > 0) send(trunk, out, said, MSG_NOSIGNAL);
  }
}
