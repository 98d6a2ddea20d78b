import COpenSSL

/// AES-128 in counter mode by OpenSSL; encrypting and decrypting are the same operation.
enum AES128CTR {
  /// Bytes of key and initial vector.
  static let blockSize = 16

  /// Writes `input` under the keystream to `output`, which has the same size. Allocates nothing that holds either.
  /// - Returns: false where OpenSSL refuses, which it does for lack of memory alone.
  static func apply(
    key: UnsafeRawBufferPointer, iv: [UInt8], input: UnsafeRawBufferPointer, output: UnsafeMutableRawBufferPointer
  ) -> Bool {
    precondition(key.count == blockSize && iv.count == blockSize, "AES-128 takes 16 bytes of key and counter")
    precondition(input.count == output.count, "a stream cipher keeps the size")
    guard let context = EVP_CIPHER_CTX_new() else { return false }
    // Wipes the key schedule as well.
    defer { EVP_CIPHER_CTX_free(context) }
    var written: Int32 = 0
    let keyBytes = key.bindMemory(to: UInt8.self).baseAddress
    return EVP_EncryptInit_ex(context, EVP_aes_128_ctr(), nil, keyBytes, iv) == 1
      && EVP_EncryptUpdate(
        context, output.bindMemory(to: UInt8.self).baseAddress, &written,
        input.bindMemory(to: UInt8.self).baseAddress, Int32(input.count)) == 1
      && Int(written) == input.count
  }
}
