/* Connecting, and what a whole host answers. */
#include "addon.h"

#include <stdlib.h>

static int openConnection(Call *call) {
  bool readOnly = call->numbers[0] != 0;
  const char *uri = call->texts[0];
  call->connection = readOnly ? virConnectOpenReadOnly(uri) : virConnectOpen(uri);
  if (call->connection == NULL) {
    /* Before anything else is asked of libvirt, which would forget it. */
    call->error = virSaveLastError();
    detachSubscription(NULL, call->subscription);
    return -1;
  }
  /* 1 and -1 (unsupported) are both fine: local drivers have no wire to keep alive. */
  if (call->numbers[1] > 0) {
    virConnectSetKeepAlive(call->connection, (int)call->numbers[1], (unsigned)call->numbers[2]);
  }
  if (attachSubscription(call->connection, call->subscription) == 0) return 0;
  call->error = virSaveLastError();
  detachSubscription(call->connection, call->subscription);
  return -1;
}

static int closeConnection(Call *call) {
  detachSubscription(call->connection, call->subscription);
  return 0;
}

static int textOrError(Call *call, char *text) {
  call->text = text;
  return text == NULL ? -1 : 0;
}

static int getHostname(Call *call) { return textOrError(call, virConnectGetHostname(call->connection)); }

static int getCapabilities(Call *call) {
  return textOrError(call, virConnectGetCapabilities(call->connection));
}

static int getVersion(Call *call) {
  unsigned long hypervisor = 0, library = 0;
  if (virConnectGetVersion(call->connection, &hypervisor) < 0) return -1;
  if (virConnectGetLibVersion(call->connection, &library) < 0) return -1;
  call->pair[0] = (double)hypervisor;
  call->pair[1] = (double)library;
  return 0;
}

static int listDomains(Call *call) {
  virDomainPtr *domains = NULL;
  int count = virConnectListAllDomains(call->connection, &domains, (unsigned)call->numbers[0]);
  if (count < 0) return -1;
  for (int i = 0; i < count; i++) {
    rememberDomain(call, domains[i]);
    virDomainFree(domains[i]);
  }
  free(domains);
  return 0;
}

const Operation connectionOperations[] = {
    {"open", "snnne", openConnection, RESULT_CONNECTION},
    {"close", "x", closeConnection, RESULT_NONE},
    {"getHostname", "c", getHostname, RESULT_TEXT},
    {"getCapabilities", "c", getCapabilities, RESULT_TEXT},
    {"getVersion", "c", getVersion, RESULT_PAIR},
    {"listDomains", "cn", listDomains, RESULT_DOMAINS},
    {NULL, NULL, NULL, RESULT_NONE},
};
