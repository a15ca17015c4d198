/*
 * Runs a command and reaps whatever it leaves behind, until nothing is left.
 *
 * libvirt's QEMU processes detach from it; where process 1 is slow to reap, each guest that ends looks alive
 * for seconds and libvirt waits for it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
  if (argc < 2 || prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
    fprintf(stderr, "usage: reaper <command> [argument...]\n");
    return 2;
  }
  pid_t command = fork();
  if (command == 0) {
    execvp(argv[1], argv + 1);
    fprintf(stderr, "reaper: %s: %s\n", argv[1], strerror(errno));
    _exit(127);
  }
  int status, result = 1;
  for (;;) {
    pid_t ended = wait(&status);
    if (ended < 0 && errno == ECHILD) return result;
    if (ended == command) result = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
  }
}
