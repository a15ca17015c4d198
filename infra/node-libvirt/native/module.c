/* Entry point: one JavaScript function per operation. */
#include "addon.h"

/* libvirt prints every error to stderr unless told otherwise; ours travel in rejections. */
static void ignoreError(void *data, virErrorPtr error) {
  (void)data;
  (void)error;
}

static pthread_once_t libraryOnce = PTHREAD_ONCE_INIT;

static void initialiseLibrary(void) {
  virInitialize();
  virSetErrorFunc(NULL, ignoreError);
  startEventLoop();
}

static bool exportOperations(napi_env env, napi_value exports, const Operation *operations) {
  for (const Operation *operation = operations; operation->name != NULL; operation++) {
    napi_value function;
    if (napi_create_function(env, operation->name, NAPI_AUTO_LENGTH, invokeOperation, (void *)operation,
                             &function) != napi_ok ||
        napi_set_named_property(env, exports, operation->name, function) != napi_ok) {
      return false;
    }
  }
  return true;
}

NAPI_MODULE_INIT() {
  pthread_once(&libraryOnce, initialiseLibrary);
  if (createEnvironment(env) != napi_ok || !exportOperations(env, exports, connectionOperations) ||
      !exportOperations(env, exports, domainOperations) ||
      !exportOperations(env, exports, migrationOperations)) {
    napi_throw_error(env, NULL, "the libvirt addon could not be initialised");
    return NULL;
  }
  return exports;
}
