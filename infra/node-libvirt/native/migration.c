/* Live migration, its tuning and its statistics. */
#include "addon.h"

static int migrateToUri(Call *call) {
  virDomainPtr domain = callDomain(call);
  if (domain == NULL) return -1;
  int status = virDomainMigrateToURI3(domain, call->texts[0], call->params, (unsigned)call->paramCount,
                                      (unsigned)call->numbers[0]);
  return endDomain(call, domain, status);
}

static int migrateStartPostCopy(Call *call) {
  virDomainPtr domain = callDomain(call);
  if (domain == NULL) return -1;
  int status = virDomainMigrateStartPostCopy(domain, 0);
  return endDomain(call, domain, status);
}

static int migrateSetMaxDowntime(Call *call) {
  virDomainPtr domain = callDomain(call);
  if (domain == NULL) return -1;
  int status = virDomainMigrateSetMaxDowntime(domain, (unsigned long long)call->numbers[0], 0);
  return endDomain(call, domain, status);
}

static int migrateSetMaxSpeed(Call *call) {
  virDomainPtr domain = callDomain(call);
  if (domain == NULL) return -1;
  int status =
      virDomainMigrateSetMaxSpeed(domain, (unsigned long)call->numbers[0], (unsigned)call->numbers[1]);
  return endDomain(call, domain, status);
}

static int getJobStats(Call *call) {
  virDomainPtr domain = callDomain(call);
  if (domain == NULL) return -1;
  int status = virDomainGetJobStats(domain, &call->jobType, &call->outParams, &call->outParamCount,
                                    (unsigned)call->numbers[0]);
  return endDomain(call, domain, status);
}

static int abortJob(Call *call) {
  virDomainPtr domain = callDomain(call);
  if (domain == NULL) return -1;
  int status = virDomainAbortJob(domain);
  return endDomain(call, domain, status);
}

static int startDirtyRate(Call *call) {
  virDomainPtr domain = callDomain(call);
  if (domain == NULL) return -1;
  int status = virDomainStartDirtyRateCalc(domain, (int)call->numbers[0], 0);
  return endDomain(call, domain, status);
}

static int getStats(Call *call) {
  virDomainPtr domain = callDomain(call);
  if (domain == NULL) return -1;
  virDomainPtr list[] = {domain, NULL};
  virDomainStatsRecordPtr *records = NULL;
  int count = virDomainListGetStats(list, (unsigned)call->numbers[0], &records, 0);
  if (count > 0) {
    copyParams(records[0]->params, records[0]->nparams, &call->outParams, &call->outParamCount);
  }
  if (count >= 0) virDomainStatsRecordListFree(records);
  return endDomain(call, domain, count < 0 ? -1 : 0);
}

const Operation migrationOperations[] = {
    {"migrateToUri", "cdspn", migrateToUri, RESULT_NONE},
    {"migrateStartPostCopy", "cd", migrateStartPostCopy, RESULT_NONE},
    {"migrateSetMaxDowntime", "cdn", migrateSetMaxDowntime, RESULT_NONE},
    {"migrateSetMaxSpeed", "cdnn", migrateSetMaxSpeed, RESULT_NONE},
    {"getJobStats", "cdn", getJobStats, RESULT_PARAMS},
    {"abortJob", "cd", abortJob, RESULT_NONE},
    {"startDirtyRate", "cdn", startDirtyRate, RESULT_NONE},
    {"getStats", "cdn", getStats, RESULT_PARAMS},
    {NULL, NULL, NULL, RESULT_NONE},
};
