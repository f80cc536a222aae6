using System.Net;
using System.Net.Sockets;

namespace ZfsSnapshotManager.Server.Http;

/// <summary>
/// What counts as one peer: an address, or the /64 of an IPv6 address, all of which one machine can use.
/// </summary>
internal static class PeerNetwork
{
    private const int NetworkBytes = 8;

    /// <returns>Empty if there is no address.</returns>
    public static string Of(IPAddress? address) =>
        address switch
        {
            null => "",
            { IsIPv4MappedToIPv6: true } => address.MapToIPv4().ToString(),
            { AddressFamily: AddressFamily.InterNetworkV6 } => Convert.ToHexString(
                address.GetAddressBytes().AsSpan(0, NetworkBytes)
            ),
            _ => address.ToString(),
        };

    /// <summary>Whether it is 127.0.0.1 or ::1, from which programs on this machine come.</summary>
    public static bool IsThisMachine(IPAddress? address) =>
        address is not null
        && (
            address.Equals(IPAddress.IPv6Loopback)
            || (address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address).Equals(IPAddress.Loopback)
        );
}
