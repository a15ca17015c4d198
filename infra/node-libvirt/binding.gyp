{
  "targets": [
    {
      "target_name": "addon",
      "sources": [
        "native/module.c",
        "native/call.c",
        "native/connection.c",
        "native/domain.c",
        "native/migration.c",
        "native/events.c"
      ],
      "defines": ["NAPI_VERSION=8", "_GNU_SOURCE"],
      "cflags": ["-std=c11", "-Wall", "-Wextra", "-O2", "-Werror=implicit-function-declaration", "<!@(pkg-config --cflags libvirt)"],
      "libraries": ["<!@(pkg-config --libs libvirt)"],
      "ldflags": ["-Wl,-z,nodelete"]
    }
  ]
}
