extension Chain {
  /// The permissions of an address; those every account begins with where it has no account.
  func permissions(of address: Bytes, in view: View) -> AccountPermissions {
    Address(address).flatMap { account($0, in: view)?.permissions } ?? AccountPermissions(defaultsOf: address)
  }

  /// The contract that stands at an address.
  func contract(at address: Address) -> (any CallableContract)? { execution.contract(at: address.bytes) }
}
