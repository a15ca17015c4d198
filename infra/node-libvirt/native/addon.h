/* What the addon's files share: one call = one thread, one argument list, one result. */
#ifndef CENTROID_LIBVIRT_ADDON_H
#define CENTROID_LIBVIRT_ADDON_H

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <node_api.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define MAX_TEXTS 3
#define MAX_NUMBERS 4

/* Where the events of one connection go. Owned by the connection and by each libvirt registration. */
typedef struct Subscription Subscription;

/* A connection as JavaScript holds it. `connection` is NULL once closed; only the JS thread touches it. */
typedef struct {
  virConnectPtr connection;
  Subscription *subscription;
} Connection;

/* Per environment (main thread or worker thread of Node). */
typedef struct {
  napi_threadsafe_function completions;
  uint32_t pending;
} Environment;

typedef enum {
  RESULT_NONE,
  RESULT_TEXT,
  RESULT_PAIR,
  RESULT_DOMAIN,
  RESULT_DOMAINS,
  RESULT_PARAMS,
  RESULT_CONNECTION,
} ResultKind;

typedef struct {
  char *name;
  char uuid[VIR_UUID_STRING_BUFLEN];
  int id;
} DomainInfo;

struct Call;

/*
 * `arguments`: c connection, x connection taken away from its handle, d domain UUID, s text or null,
 * n number, p typed parameters, e function for events.
 */
typedef struct {
  const char *name;
  const char *arguments;
  /* Runs on the call's own thread. 0, or -1 with libvirt's thread-local error set. */
  int (*execute)(struct Call *call);
  ResultKind result;
} Operation;

typedef struct Call {
  const Operation *operation;
  Environment *environment;
  napi_deferred deferred;

  virConnectPtr connection;
  Subscription *subscription;
  char *uuid;
  char *texts[MAX_TEXTS];
  double numbers[MAX_NUMBERS];
  virTypedParameterPtr params;
  int paramCount;
  int paramCapacity;

  int status;
  virErrorPtr error;

  char *text;
  double pair[2];
  DomainInfo *domains;
  int domainCount;
  int jobType;
  virTypedParameterPtr outParams;
  int outParamCount;
} Call;

extern const Operation connectionOperations[];
extern const Operation domainOperations[];
extern const Operation migrationOperations[];

/* call.c */
napi_value invokeOperation(napi_env env, napi_callback_info info);
napi_status createEnvironment(napi_env env);
void rememberDomain(Call *call, virDomainPtr domain);
/* The domain of this call, looked up afresh; NULL with the error set. Free it. */
virDomainPtr callDomain(Call *call);
/* Frees the call's domain. That makes libvirt forget why the call failed, so the reason is kept first. */
int endDomain(Call *call, virDomainPtr domain, int status);

/* An object with one property per parameter. JS thread. */
napi_value paramsValue(napi_env env, virTypedParameterPtr params, int count);
/* libvirt keeps its own copy function private. */
void copyParams(virTypedParameterPtr source, int sourceCount, virTypedParameterPtr *target, int *count);

/* events.c */
void startEventLoop(void);
/* JS thread. NULL if `function` is no function. */
Subscription *createSubscription(napi_env env, napi_value function);
/* Call's thread: registers for every event. 0, or -1 with the error set. */
int attachSubscription(virConnectPtr connection, Subscription *subscription);
/* Call's thread: unregisters and drops the connection's share. */
void detachSubscription(virConnectPtr connection, Subscription *subscription);

#endif
