namespace ZfsSnapshotManager.SystemTests.Fixtures;

/// <summary>
/// What goes wrong with a request on its way to S3 or to zfs-server, or with the answer on its way back.
/// </summary>
internal enum Fault
{
    /// <summary>503, which asks for patience.</summary>
    SlowDown,

    /// <summary>500.</summary>
    InternalError,

    /// <summary>403, as S3 answers a key that lacks a right.</summary>
    Forbidden,

    /// <summary>An error inside a 200, as S3 gives it where the work began well.</summary>
    ErrorInSuccess,

    /// <summary>507, as zfs-server answers where its disk is full.</summary>
    StorageFull,

    /// <summary>413 with a page, as nginx answers at once where a body is larger than it accepts.</summary>
    TooLarge,

    /// <summary>409, as zfs-server answers where its store no longer has an upload.</summary>
    UploadLost,

    /// <summary>409, as zfs-server answers where another request has taken an upload over.</summary>
    UploadReplaced,

    /// <summary>The connection is reset before S3 sees anything.</summary>
    ResetBefore,

    /// <summary>S3 sees half of the body.</summary>
    ResetInBody,

    /// <summary>S3 does what it was asked for, and nobody hears of it.</summary>
    LoseAnswer,

    /// <summary>The request is taken and never answered; S3 does not see it.</summary>
    Hang,

    /// <summary>S3 does what it was asked for, and the answer never comes.</summary>
    HangAfter,

    /// <summary>A bit of the request's body changes.</summary>
    CorruptBody,

    /// <summary>The answer's body ends early.</summary>
    CutAnswer,

    /// <summary>A bit of the answer's body changes.</summary>
    CorruptAnswer,
}

/// <summary>Applies a fault to some of the requests that it fits.</summary>
/// <param name="skip">How many that fit go through before.</param>
/// <param name="times">How many are hit then.</param>
internal sealed class FaultRule(Fault fault, Func<S3Request, bool> fits, int skip, int times)
{
    private int _seen;

    public Fault Fault => fault;

    /// <summary>How many requests were hit.</summary>
    public int Hits => Math.Clamp(Volatile.Read(ref _seen) - skip, 0, times);

    public bool Takes(S3Request request)
    {
        if (!fits(request))
            return false;
        var number = Interlocked.Increment(ref _seen);
        return number > skip && number <= skip + times;
    }
}
