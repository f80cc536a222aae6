using System.IO.Pipelines;

namespace ZfsSnapshotManager.Server.Http;

/// <summary>
/// Writes a long response to a client that reads as slowly as it likes: a restore writes into <c>zfs receive</c>, which
/// may pause. A client that reads nothing for too long is cut off.
/// </summary>
/// <param name="idle">How long the client may read nothing.</param>
internal sealed class PacedWriter(HttpContext context, TimeSpan idle, TimeProvider time)
{
    private static readonly TimeSpan Glance = TimeSpan.FromMilliseconds(500);

    private readonly PipeWriter _connection = context.Response.BodyWriter;

    /// <summary>How long the client may read nothing.</summary>
    public TimeSpan Idle => idle;

    /// <param name="slice">Copied before this returns to its caller for the first time.</param>
    /// <param name="stalled">Called every now and then while the client reads nothing, with the time that it has read
    /// nothing.</param>
    /// <exception cref="TimeoutException">The client read nothing for too long.</exception>
    /// <exception cref="OperationCanceledException">The client has disconnected.</exception>
    public async ValueTask WriteAsync(ReadOnlyMemory<byte> slice, Func<TimeSpan, ValueTask>? stalled = null)
    {
        var writing = _connection.WriteAsync(slice, context.RequestAborted);
        var flushing = writing.IsCompleted ? writing : new ValueTask<FlushResult>(WaitAsync(writing.AsTask(), stalled));
        if ((await flushing).IsCompleted)
            throw new OperationCanceledException("The client has disconnected.", context.RequestAborted);
    }

    private async Task<FlushResult> WaitAsync(Task<FlushResult> writing, Func<TimeSpan, ValueTask>? stalled)
    {
        var start = time.GetTimestamp();
        while (true)
        {
            try
            {
                return await writing.WaitAsync(Glance, time);
            }
            catch (TimeoutException e) when (!writing.IsCompleted)
            {
                var lasted = time.GetElapsedTime(start);
                if (lasted >= idle)
                    throw new TimeoutException($"The client read nothing for {idle.TotalSeconds:0} s.", e);
                if (stalled is not null)
                    await stalled(lasted);
            }
        }
    }
}
