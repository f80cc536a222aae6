using ZfsSnapshotManager.SendStream.NvLists;

namespace ZfsSnapshotManager.SendStream.Writing;

/// <summary>Payloads of BEGINs that were read and are written anew.</summary>
internal static class BeginPayload
{
    /// <summary>Packs a payload.</summary>
    /// <exception cref="StreamCombinationException">
    /// It was read, but not all of it is known: names that are no UTF-8, or values of a list in XDR. ZFS makes no such
    /// payload.
    /// </exception>
    public static byte[] Pack(NvList payload)
    {
        try
        {
            return payload.Pack();
        }
        catch (InvalidOperationException fault)
        {
            throw new StreamCombinationException(
                $"The payload of the stream's BEGIN cannot be written anew. {fault.Message}"
            );
        }
    }
}
