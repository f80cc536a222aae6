namespace ZfsSnapshotManager.SendStream;

/// <summary>
/// Gathers a payload whose announced length may be a lie: it grows with what arrives, to at most twice that, and never
/// beyond what was announced.
/// </summary>
internal sealed class PayloadBuffer
{
    private const int FirstSize = 4096;

    private byte[] _bytes = [];
    private int _announced;
    private int _filled;

    /// <summary>The bytes that have arrived.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes.AsSpan(0, _filled);

    /// <summary>Starts with a new payload of this many bytes.</summary>
    public void Start(uint announced)
    {
        Clear();
        _announced = checked((int)announced);
    }

    public void Append(ReadOnlySpan<byte> data)
    {
        if (_filled + data.Length > _bytes.Length)
            Array.Resize(ref _bytes, Math.Min(_announced, Math.Max(FirstSize, 2 * (_filled + data.Length))));
        data.CopyTo(_bytes.AsSpan(_filled));
        _filled += data.Length;
    }

    /// <summary>Drops the bytes.</summary>
    public void Clear() => (_bytes, _announced, _filled) = ([], 0, 0);
}
