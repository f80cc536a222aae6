using ZfsSnapshotManager.SendStream.NvLists;

namespace ZfsSnapshotManager.SendStream.Writing;

/// <summary>Payloads of BEGIN records that were read and are written again.</summary>
internal static class BeginPayload
{
    /// <summary>Packs a payload.</summary>
    /// <exception cref="StreamCombinationException">
    /// It holds a name that is no UTF-8, or a value of an unknown type in XDR. ZFS makes no such payload.
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
                $"The payload of the stream's BEGIN cannot be written again. {fault.Message}"
            );
        }
    }
}
