/* The life of a domain. Each call looks the domain up afresh, so no handle can go stale. */
#include "addon.h"

static int keepDomain(Call *call, virDomainPtr domain) {
  if (domain == NULL) return -1;
  rememberDomain(call, domain);
  virDomainFree(domain);
  return 0;
}

static int defineXml(Call *call) {
  return keepDomain(call,
                    virDomainDefineXMLFlags(call->connection, call->texts[0], (unsigned)call->numbers[0]));
}

static int createXml(Call *call) {
  return keepDomain(call, virDomainCreateXML(call->connection, call->texts[0], (unsigned)call->numbers[0]));
}

static int lookupByName(Call *call) {
  return keepDomain(call, virDomainLookupByName(call->connection, call->texts[0]));
}

static int lookupByUuid(Call *call) { return keepDomain(call, callDomain(call)); }

typedef int (*WithFlags)(virDomainPtr domain, unsigned int flags);

static int applyFlags(Call *call, WithFlags function) {
  virDomainPtr domain = callDomain(call);
  if (domain == NULL) return -1;
  int status = function(domain, (unsigned)call->numbers[0]);
  return endDomain(call, domain, status < 0 ? -1 : 0);
}

static int suspendWithFlags(virDomainPtr domain, unsigned int flags) {
  (void)flags;
  return virDomainSuspend(domain);
}

static int resumeWithFlags(virDomainPtr domain, unsigned int flags) {
  (void)flags;
  return virDomainResume(domain);
}

static int createDomain(Call *call) { return applyFlags(call, virDomainCreateWithFlags); }
static int destroyDomain(Call *call) { return applyFlags(call, virDomainDestroyFlags); }
static int undefineDomain(Call *call) { return applyFlags(call, virDomainUndefineFlags); }
static int suspendDomain(Call *call) { return applyFlags(call, suspendWithFlags); }
static int resumeDomain(Call *call) { return applyFlags(call, resumeWithFlags); }

static int getState(Call *call) {
  virDomainPtr domain = callDomain(call);
  if (domain == NULL) return -1;
  int state = 0, reason = 0;
  int status = virDomainGetState(domain, &state, &reason, 0);
  call->pair[0] = state;
  call->pair[1] = reason;
  return endDomain(call, domain, status);
}

static int getXml(Call *call) {
  virDomainPtr domain = callDomain(call);
  if (domain == NULL) return -1;
  call->text = virDomainGetXMLDesc(domain, (unsigned)call->numbers[0]);
  return endDomain(call, domain, call->text == NULL ? -1 : 0);
}

static int saveDomain(Call *call) {
  virDomainPtr domain = callDomain(call);
  if (domain == NULL) return -1;
  int status = virDomainSaveFlags(domain, call->texts[0], call->texts[1], (unsigned)call->numbers[0]);
  return endDomain(call, domain, status);
}

static int restoreDomain(Call *call) {
  return virDomainRestoreFlags(call->connection, call->texts[0], call->texts[1],
                               (unsigned)call->numbers[0]);
}

const Operation domainOperations[] = {
    {"defineXml", "csn", defineXml, RESULT_DOMAIN},
    {"createXml", "csn", createXml, RESULT_DOMAIN},
    {"lookupByName", "cs", lookupByName, RESULT_DOMAIN},
    {"lookupByUuid", "cd", lookupByUuid, RESULT_DOMAIN},
    {"create", "cdn", createDomain, RESULT_NONE},
    {"destroy", "cdn", destroyDomain, RESULT_NONE},
    {"undefine", "cdn", undefineDomain, RESULT_NONE},
    {"suspend", "cd", suspendDomain, RESULT_NONE},
    {"resume", "cd", resumeDomain, RESULT_NONE},
    {"getState", "cd", getState, RESULT_PAIR},
    {"getXml", "cdn", getXml, RESULT_TEXT},
    {"save", "cdssn", saveDomain, RESULT_NONE},
    {"restore", "cssn", restoreDomain, RESULT_NONE},
    {NULL, NULL, NULL, RESULT_NONE},
};
