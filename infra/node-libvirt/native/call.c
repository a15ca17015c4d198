/*
 * Runs one libvirt call on a thread of its own and settles a promise with the outcome.
 *
 * A thread per call, not libuv's pool: a migration blocks for as long as it takes, and four of them
 * would stop every file and DNS request of the process. libvirt keeps the last error per thread, so it
 * is copied on the thread that made the call.
 */
#include "addon.h"

#include <stdlib.h>
#include <string.h>

static void freeCall(Call *call) {
  free(call->uuid);
  for (int i = 0; i < MAX_TEXTS; i++) free(call->texts[i]);
  virTypedParamsFree(call->params, call->paramCount);
  virTypedParamsFree(call->outParams, call->outParamCount);
  for (int i = 0; i < call->domainCount; i++) free(call->domains[i].name);
  free(call->domains);
  free(call->text);
  virFreeError(call->error);
  free(call);
}

virDomainPtr callDomain(Call *call) { return virDomainLookupByUUIDString(call->connection, call->uuid); }

void rememberDomain(Call *call, virDomainPtr domain) {
  DomainInfo *grown = realloc(call->domains, sizeof(DomainInfo) * (size_t)(call->domainCount + 1));
  if (grown == NULL) return;
  call->domains = grown;
  DomainInfo *info = &call->domains[call->domainCount++];
  info->name = strdup(virDomainGetName(domain));
  info->id = (int)virDomainGetID(domain);
  virDomainGetUUIDString(domain, info->uuid);
}

int endDomain(Call *call, virDomainPtr domain, int status) {
  if (status < 0 && call->error == NULL) call->error = virSaveLastError();
  virDomainFree(domain);
  return status;
}

void copyParams(virTypedParameterPtr source, int sourceCount, virTypedParameterPtr *target, int *count) {
  int capacity = 0;
  for (int i = 0; i < sourceCount; i++) {
    virTypedParameterPtr param = &source[i];
    const char *name = param->field;
    switch (param->type) {
      case VIR_TYPED_PARAM_INT: virTypedParamsAddInt(target, count, &capacity, name, param->value.i); break;
      case VIR_TYPED_PARAM_UINT: virTypedParamsAddUInt(target, count, &capacity, name, param->value.ui); break;
      case VIR_TYPED_PARAM_LLONG: virTypedParamsAddLLong(target, count, &capacity, name, param->value.l); break;
      case VIR_TYPED_PARAM_ULLONG:
        virTypedParamsAddULLong(target, count, &capacity, name, param->value.ul);
        break;
      case VIR_TYPED_PARAM_DOUBLE:
        virTypedParamsAddDouble(target, count, &capacity, name, param->value.d);
        break;
      case VIR_TYPED_PARAM_BOOLEAN:
        virTypedParamsAddBoolean(target, count, &capacity, name, param->value.b);
        break;
      case VIR_TYPED_PARAM_STRING:
        virTypedParamsAddString(target, count, &capacity, name, param->value.s);
        break;
      default: break;
    }
  }
}

static void *runCall(void *data) {
  Call *call = data;
  virResetLastError();
  call->status = call->operation->execute(call);
  if (call->status < 0 && call->error == NULL) call->error = virSaveLastError();
  bool opened = call->operation->result == RESULT_CONNECTION && call->status == 0;
  if (call->connection != NULL && !opened) virConnectClose(call->connection);
  if (napi_call_threadsafe_function(call->environment->completions, call, napi_tsfn_blocking) != napi_ok) {
    freeCall(call); /* Node is going down: nobody is left to be told. */
  }
  return NULL;
}

static void setNumber(napi_env env, napi_value object, const char *key, double number) {
  napi_value value;
  napi_create_double(env, number, &value);
  napi_set_named_property(env, object, key, value);
}

static void setText(napi_env env, napi_value object, const char *key, const char *text) {
  napi_value value;
  napi_create_string_utf8(env, text == NULL ? "" : text, NAPI_AUTO_LENGTH, &value);
  napi_set_named_property(env, object, key, value);
}

static napi_value domainValue(napi_env env, const DomainInfo *info) {
  napi_value object;
  napi_create_object(env, &object);
  setText(env, object, "name", info->name);
  setText(env, object, "uuid", info->uuid);
  setNumber(env, object, "id", info->id);
  return object;
}

static void setParams(napi_env env, napi_value object, virTypedParameterPtr params, int count) {
  for (int i = 0; i < count; i++) {
    const virTypedParameter *param = &params[i];
    switch (param->type) {
      case VIR_TYPED_PARAM_INT: setNumber(env, object, param->field, param->value.i); break;
      case VIR_TYPED_PARAM_UINT: setNumber(env, object, param->field, param->value.ui); break;
      case VIR_TYPED_PARAM_LLONG: setNumber(env, object, param->field, (double)param->value.l); break;
      case VIR_TYPED_PARAM_ULLONG: setNumber(env, object, param->field, (double)param->value.ul); break;
      case VIR_TYPED_PARAM_DOUBLE: setNumber(env, object, param->field, param->value.d); break;
      case VIR_TYPED_PARAM_BOOLEAN: setNumber(env, object, param->field, param->value.b != 0); break;
      case VIR_TYPED_PARAM_STRING: setText(env, object, param->field, param->value.s); break;
      default: break;
    }
  }
}

napi_value paramsValue(napi_env env, virTypedParameterPtr params, int count) {
  napi_value object;
  napi_create_object(env, &object);
  setParams(env, object, params, count);
  return object;
}

static void *closeInBackground(void *data) {
  Connection *connection = data;
  detachSubscription(connection->connection, connection->subscription);
  virConnectClose(connection->connection);
  free(connection);
  return NULL;
}

/* A connection nobody closed: its last reference may speak to the daemon, so not on the JS thread. */
static void finaliseConnection(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  Connection *connection = data;
  pthread_t thread;
  if (connection->connection == NULL) {
    free(connection);
  } else if (pthread_create(&thread, NULL, closeInBackground, connection) == 0) {
    pthread_detach(thread);
  }
}

static napi_value resultValue(napi_env env, Call *call) {
  napi_value value;
  napi_get_undefined(env, &value);
  switch (call->operation->result) {
    case RESULT_NONE: break;
    case RESULT_TEXT: napi_create_string_utf8(env, call->text, NAPI_AUTO_LENGTH, &value); break;
    case RESULT_PAIR:
      napi_create_array_with_length(env, 2, &value);
      for (uint32_t i = 0; i < 2; i++) {
        napi_value number;
        napi_create_double(env, call->pair[i], &number);
        napi_set_element(env, value, i, number);
      }
      break;
    case RESULT_DOMAIN: value = domainValue(env, &call->domains[0]); break;
    case RESULT_DOMAINS:
      napi_create_array_with_length(env, (size_t)call->domainCount, &value);
      for (int i = 0; i < call->domainCount; i++) {
        napi_set_element(env, value, (uint32_t)i, domainValue(env, &call->domains[i]));
      }
      break;
    case RESULT_PARAMS:
      value = paramsValue(env, call->outParams, call->outParamCount);
      setNumber(env, value, "type", call->jobType);
      break;
    case RESULT_CONNECTION: {
      Connection *connection = calloc(1, sizeof(Connection));
      connection->connection = call->connection;
      connection->subscription = call->subscription;
      napi_create_external(env, connection, finaliseConnection, NULL, &value);
      break;
    }
  }
  return value;
}

/* Rejections are plain objects; the TypeScript side makes a LibvirtError with the caller's stack. */
static napi_value errorValue(napi_env env, const Call *call) {
  napi_value object;
  napi_create_object(env, &object);
  const virError *error = call->error;
  setNumber(env, object, "code", error == NULL ? VIR_ERR_INTERNAL_ERROR : error->code);
  setNumber(env, object, "domain", error == NULL ? VIR_FROM_NONE : error->domain);
  setNumber(env, object, "level", error == NULL ? VIR_ERR_ERROR : (int)error->level);
  setText(env, object, "message",
          error == NULL || error->message == NULL ? "libvirt gave no reason" : error->message);
  setText(env, object, "operation", call->operation->name);
  return object;
}

static void completeCall(napi_env env, napi_value callback, void *context, void *data) {
  (void)callback;
  (void)context;
  Call *call = data;
  if (env != NULL) {
    if (call->status < 0) {
      napi_reject_deferred(env, call->deferred, errorValue(env, call));
    } else {
      napi_resolve_deferred(env, call->deferred, resultValue(env, call));
    }
    if (--call->environment->pending == 0) {
      napi_unref_threadsafe_function(env, call->environment->completions);
    }
  }
  freeCall(call);
}

napi_status createEnvironment(napi_env env) {
  /* Never freed: threads still running at exit look at it. One per environment, so bounded. */
  Environment *environment = calloc(1, sizeof(Environment));
  napi_value name;
  napi_create_string_utf8(env, "libvirt", NAPI_AUTO_LENGTH, &name);
  napi_status status = napi_create_threadsafe_function(env, NULL, NULL, name, 0, 1, NULL, NULL, NULL,
                                                       completeCall, &environment->completions);
  if (status != napi_ok) return status;
  napi_unref_threadsafe_function(env, environment->completions);
  return napi_set_instance_data(env, environment, NULL, NULL);
}

static Connection *unwrapConnection(napi_env env, napi_value value) {
  napi_valuetype type;
  void *data = NULL;
  if (napi_typeof(env, value, &type) != napi_ok || type != napi_external) return NULL;
  napi_get_value_external(env, value, &data);
  return data;
}

static char *textOf(napi_env env, napi_value value) {
  size_t length;
  if (napi_get_value_string_utf8(env, value, NULL, 0, &length) != napi_ok) return NULL;
  char *text = malloc(length + 1);
  if (text != NULL) napi_get_value_string_utf8(env, value, text, length + 1, &length);
  return text;
}

/* `[[name, "s" | "i" | "u", value], ...]`: text, int, unsigned long long. */
static bool readParams(napi_env env, napi_value list, Call *call) {
  uint32_t length;
  if (napi_get_array_length(env, list, &length) != napi_ok) return false;
  for (uint32_t i = 0; i < length; i++) {
    napi_value entry, nameValue, kindValue, value;
    napi_get_element(env, list, i, &entry);
    napi_get_element(env, entry, 0, &nameValue);
    napi_get_element(env, entry, 1, &kindValue);
    napi_get_element(env, entry, 2, &value);
    char *name = textOf(env, nameValue);
    char *kind = textOf(env, kindValue);
    int added = -1;
    double number = 0;
    if (name != NULL && kind != NULL && kind[0] == 's') {
      char *text = textOf(env, value);
      if (text != NULL) {
        added = virTypedParamsAddString(&call->params, &call->paramCount, &call->paramCapacity, name, text);
      }
      free(text);
    } else if (name != NULL && kind != NULL && napi_get_value_double(env, value, &number) == napi_ok) {
      added = kind[0] == 'i' ? virTypedParamsAddInt(&call->params, &call->paramCount, &call->paramCapacity,
                                                    name, (int)number)
                             : virTypedParamsAddULLong(&call->params, &call->paramCount,
                                                       &call->paramCapacity, name,
                                                       (unsigned long long)number);
    }
    free(name);
    free(kind);
    if (added < 0) return false;
  }
  return true;
}

static bool readArguments(napi_env env, napi_value *arguments, Call *call) {
  int texts = 0, numbers = 0;
  for (size_t i = 0; call->operation->arguments[i] != '\0'; i++) {
    switch (call->operation->arguments[i]) {
      case 'c': {
        Connection *connection = unwrapConnection(env, arguments[i]);
        if (connection == NULL || connection->connection == NULL) return false;
        call->connection = connection->connection;
        virConnectRef(call->connection);
        break;
      }
      case 'x': {
        /* Taken at once, so that no later call can start on it; the call's thread drops the reference. */
        Connection *connection = unwrapConnection(env, arguments[i]);
        if (connection == NULL || connection->connection == NULL) return false;
        call->connection = connection->connection;
        call->subscription = connection->subscription;
        connection->connection = NULL;
        break;
      }
      case 'e':
        if ((call->subscription = createSubscription(env, arguments[i])) == NULL) return false;
        break;
      case 'd':
        if ((call->uuid = textOf(env, arguments[i])) == NULL) return false;
        break;
      case 's': {
        napi_valuetype type;
        napi_typeof(env, arguments[i], &type);
        if (type == napi_string && (call->texts[texts] = textOf(env, arguments[i])) == NULL) return false;
        if (type != napi_string && type != napi_null) return false;
        texts++;
        break;
      }
      case 'n':
        if (napi_get_value_double(env, arguments[i], &call->numbers[numbers++]) != napi_ok) return false;
        break;
      default:
        if (!readParams(env, arguments[i], call)) return false;
    }
  }
  return true;
}

static napi_value refuse(napi_env env, Call *call, const char *why) {
  if (call != NULL) {
    if (call->connection != NULL) virConnectClose(call->connection);
    freeCall(call);
  }
  napi_throw_type_error(env, "LIBVIRT_BAD_CALL", why);
  return NULL;
}

napi_value invokeOperation(napi_env env, napi_callback_info info) {
  napi_value arguments[8];
  size_t count = 8;
  void *data;
  napi_get_cb_info(env, info, &count, arguments, NULL, &data);
  Call *call = calloc(1, sizeof(Call));
  if (call == NULL) return refuse(env, NULL, "out of memory");
  call->operation = data;
  napi_get_instance_data(env, (void **)&call->environment);
  if (!readArguments(env, arguments, call)) {
    return refuse(env, call, "a closed connection, or an argument of the wrong type");
  }
  napi_value promise;
  napi_create_promise(env, &call->deferred, &promise);
  pthread_t thread;
  if (pthread_create(&thread, NULL, runCall, call) != 0) return refuse(env, call, "no thread to be had");
  pthread_detach(thread);
  if (call->environment->pending++ == 0) {
    napi_ref_threadsafe_function(env, call->environment->completions);
  }
  return promise;
}
