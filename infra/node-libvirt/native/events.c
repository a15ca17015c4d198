/*
 * libvirt's event loop, and the way from it into JavaScript.
 *
 * One thread per process runs libvirt's default loop for good (it also answers keep-alives). Events cross
 * to the JS thread through a thread-safe function, which does not keep the process alive.
 */
#include "addon.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define REGISTRATIONS 3

struct Subscription {
  napi_threadsafe_function sink;
  atomic_int owners;
  atomic_bool gone;
  int ids[REGISTRATIONS];
  bool watchesClose;
};

typedef struct {
  const char *type;
  char *name;
  char uuid[VIR_UUID_STRING_BUFLEN];
  int first;
  int second;
  virTypedParameterPtr params;
  int paramCount;
} Event;

static void *runEventLoop(void *data) {
  (void)data;
  for (;;) virEventRunDefaultImpl();
  return NULL;
}

void startEventLoop(void) {
  pthread_t thread;
  if (virEventRegisterDefaultImpl() == 0 && pthread_create(&thread, NULL, runEventLoop, NULL) == 0) {
    pthread_detach(thread);
  }
}

static void freeEvent(Event *event) {
  virTypedParamsFree(event->params, event->paramCount);
  free(event->name);
  free(event);
}

static void dropSubscription(void *data) {
  Subscription *subscription = data;
  if (atomic_fetch_sub(&subscription->owners, 1) != 1) return;
  if (!atomic_load(&subscription->gone)) {
    napi_release_threadsafe_function(subscription->sink, napi_tsfn_release);
  }
  free(subscription);
}

/* callback(type, name, uuid, first, second, job) */
static void deliverEvent(napi_env env, napi_value callback, void *context, void *data) {
  (void)context;
  Event *event = data;
  if (env != NULL && callback != NULL) {
    napi_value arguments[6], undefined;
    napi_get_undefined(env, &undefined);
    napi_create_string_utf8(env, event->type, NAPI_AUTO_LENGTH, &arguments[0]);
    napi_create_string_utf8(env, event->name == NULL ? "" : event->name, NAPI_AUTO_LENGTH, &arguments[1]);
    napi_create_string_utf8(env, event->uuid, NAPI_AUTO_LENGTH, &arguments[2]);
    napi_create_int32(env, event->first, &arguments[3]);
    napi_create_int32(env, event->second, &arguments[4]);
    arguments[5] = paramsValue(env, event->params, event->paramCount);
    napi_call_function(env, undefined, callback, 6, arguments, NULL);
  }
  freeEvent(event);
}

static void emit(Subscription *subscription, Event *event) {
  if (atomic_load(&subscription->gone)) {
    freeEvent(event);
    return;
  }
  napi_status status = napi_call_threadsafe_function(subscription->sink, event, napi_tsfn_nonblocking);
  if (status == napi_ok) return;
  /* `napi_closing` has already dropped our share of the function: it must not be touched again. */
  if (status == napi_closing) atomic_store(&subscription->gone, true);
  freeEvent(event);
}

static Event *createEvent(const char *type, virDomainPtr domain, int first, int second) {
  Event *event = calloc(1, sizeof(Event));
  event->type = type;
  event->first = first;
  event->second = second;
  if (domain != NULL) {
    event->name = strdup(virDomainGetName(domain));
    virDomainGetUUIDString(domain, event->uuid);
  }
  return event;
}

static int onLifecycle(virConnectPtr connection, virDomainPtr domain, int kind, int detail, void *data) {
  (void)connection;
  emit(data, createEvent("lifecycle", domain, kind, detail));
  return 0;
}

static void onMigrationIteration(virConnectPtr connection, virDomainPtr domain, int iteration, void *data) {
  (void)connection;
  emit(data, createEvent("migration-iteration", domain, iteration, 0));
}

static void onJobCompleted(virConnectPtr connection, virDomainPtr domain, virTypedParameterPtr params,
                           int count, void *data) {
  (void)connection;
  Event *event = createEvent("job-completed", domain, 0, 0);
  copyParams(params, count, &event->params, &event->paramCount);
  emit(data, event);
}

static void onClose(virConnectPtr connection, int reason, void *data) {
  (void)connection;
  emit(data, createEvent("connection-closed", NULL, reason, 0));
}

Subscription *createSubscription(napi_env env, napi_value function) {
  napi_valuetype type;
  if (napi_typeof(env, function, &type) != napi_ok || type != napi_function) return NULL;
  Subscription *subscription = calloc(1, sizeof(Subscription));
  if (subscription == NULL) return NULL;
  napi_value name;
  napi_create_string_utf8(env, "libvirt-events", NAPI_AUTO_LENGTH, &name);
  if (napi_create_threadsafe_function(env, function, NULL, name, 0, 1, NULL, NULL, NULL, deliverEvent,
                                      &subscription->sink) != napi_ok) {
    free(subscription);
    return NULL;
  }
  napi_unref_threadsafe_function(env, subscription->sink);
  atomic_init(&subscription->owners, 1);
  for (int i = 0; i < REGISTRATIONS; i++) subscription->ids[i] = -1;
  return subscription;
}

int attachSubscription(virConnectPtr connection, Subscription *subscription) {
  static const struct {
    int id;
    virConnectDomainEventGenericCallback callback;
  } registrations[REGISTRATIONS] = {
      {VIR_DOMAIN_EVENT_ID_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(onLifecycle)},
      {VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION, VIR_DOMAIN_EVENT_CALLBACK(onMigrationIteration)},
      {VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, VIR_DOMAIN_EVENT_CALLBACK(onJobCompleted)},
  };
  for (int i = 0; i < REGISTRATIONS; i++) {
    atomic_fetch_add(&subscription->owners, 1);
    subscription->ids[i] = virConnectDomainEventRegisterAny(
        connection, NULL, registrations[i].id, registrations[i].callback, subscription, dropSubscription);
    if (subscription->ids[i] < 0) {
      atomic_fetch_sub(&subscription->owners, 1);
      return -1;
    }
  }
  atomic_fetch_add(&subscription->owners, 1);
  subscription->watchesClose =
      virConnectRegisterCloseCallback(connection, onClose, subscription, dropSubscription) == 0;
  /* Only remote drivers have a connection that can break. */
  if (!subscription->watchesClose) atomic_fetch_sub(&subscription->owners, 1);
  virResetLastError();
  return 0;
}

void detachSubscription(virConnectPtr connection, Subscription *subscription) {
  if (subscription == NULL) return;
  if (connection != NULL) {
    for (int i = 0; i < REGISTRATIONS; i++) {
      if (subscription->ids[i] >= 0) virConnectDomainEventDeregisterAny(connection, subscription->ids[i]);
    }
    if (subscription->watchesClose) virConnectUnregisterCloseCallback(connection, onClose);
  }
  virResetLastError();
  dropSubscription(subscription);
}
