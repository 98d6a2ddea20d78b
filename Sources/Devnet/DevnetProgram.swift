import FoundationEssentials
import Logging
import ServiceLifecycle

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The `devnet` executable: reads the environment, serves, ends with an exit code.
///
/// When the network answers, two lines stand on stdout, in the form of environment variables: `TRON_GENESIS_BLOCK_ID=…`
/// and then `TRON_RPC_URL=http://127.0.0.1:…`; further faces follow as `TRON_RPC_URL_2=…` and so on. Everything else goes
/// to stderr.
public enum DevnetProgram {
  /// `EX_CONFIG` of sysexits.h: the configuration is wrong.
  public static let exitConfiguration: Int32 = 78
  /// `EX_UNAVAILABLE`: the network could not begin or could not go on.
  public static let exitUnavailable: Int32 = 69

  /// How long open requests may take after SIGTERM or SIGINT.
  private static let shutdownMax = Duration.seconds(5)

  /// Runs the network until SIGTERM or SIGINT; returns the process's exit code.
  ///
  /// - Parameter environment: the variables to read; the process's own when nil.
  public static func run(environment: [String: String]? = nil) async -> Int32 {
    let environment = environment ?? ProcessInfo.processInfo.environment
    var random = SystemRandomNumberGenerator()
    let configuration: DevnetConfiguration
    do {
      configuration = try DevnetConfiguration(environment: environment, now: wallClock(), random: &random)
    } catch {
      let count = error.problems.count
      let lines = error.problems.map { "  \($0)\n" }.joined()
      write("devnet: \(count) problem\(count == 1 ? "" : "s") in the configuration\n\(lines)", to: STDERR_FILENO)
      return exitConfiguration
    }
    var logger = Logger(label: "devnet") { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = configuration.logLevel
    return await serve(configuration, logger: logger)
  }

  private static func serve(_ configuration: DevnetConfiguration, logger: Logger) async -> Int32 {
    let service: DevnetService
    do {
      service = try DevnetService(configuration, clock: wallClock, logger: logger) { urls, genesisBlockID in
        let lines = urls.enumerated().map {
          "TRON_RPC_URL\($0.offset == 0 ? "" : "_\($0.offset + 1)")=\($0.element)\n"
        }
        write("TRON_GENESIS_BLOCK_ID=\(genesisBlockID)\n\(lines.joined())", to: STDOUT_FILENO)
      }
    } catch {
      write("devnet: \(error)\n", to: STDERR_FILENO)
      return exitConfiguration
    }
    var groupConfiguration = ServiceGroupConfiguration(
      services: [.init(service: service)], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
    groupConfiguration.maximumGracefulShutdownDuration = shutdownMax
    do {
      try await ServiceGroup(configuration: groupConfiguration).run()
      return 0
    } catch is CancellationError {
      return 0
    } catch {
      write("devnet: cannot serve on 127.0.0.1:\(configuration.port): \(error)\n", to: STDERR_FILENO)
      return exitUnavailable
    }
  }

  /// Wall time in milliseconds since 1970.
  @Sendable static func wallClock() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
  }

  /// Writes all of `text` at once, unbuffered, so that a reader sees whole lines as soon as they are there.
  private static func write(_ text: String, to descriptor: Int32) {
    var rest = Bytes(text.utf8)[...]
    while !rest.isEmpty {
      let written = rest.withUnsafeBytes { systemWrite(descriptor, $0) }
      guard written > 0 else { return }
      rest = rest.dropFirst(written)
    }
  }

  private static func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
    #if canImport(Glibc)
      Glibc.write(descriptor, bytes.baseAddress, bytes.count)
    #else
      Darwin.write(descriptor, bytes.baseAddress, bytes.count)
    #endif
  }
}
