import Devnet

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

exit(await DevnetProgram.run())
