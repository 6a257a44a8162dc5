# The C kernels by themselves: as shipped, and with AddressSanitizer and UndefinedBehaviorSanitizer.
# debian: gcc libc6-dev cmake make valgrind
native_library
ctest --test-dir "$build/native-OFF" --output-on-failure -j2
cpu_kernels "$build/native-ON" -DAVSSNATIVE_SANITIZE=ON
ctest --test-dir "$build/native-ON" --output-on-failure -j2
