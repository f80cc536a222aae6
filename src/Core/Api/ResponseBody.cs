using ZfsSnapshotManager.Core.Transfer;

namespace ZfsSnapshotManager.Core.Api;

/// <summary>
/// The body of a response. Whatever ends it early is one kind of failure: a connection that broke, and one on which
/// nothing arrives for a while.
/// </summary>
/// <param name="response">Disposed with the body.</param>
/// <param name="body">The response's content.</param>
/// <param name="what">What is read, for messages.</param>
/// <param name="idle">How long nothing may arrive.</param>
public sealed class ResponseBody(IDisposable response, Stream body, string what, TimeSpan idle) : ForwardOnlyStream
{
    /// <summary>For stored bytes: the server has them ready when it begins to answer.</summary>
    public static readonly TimeSpan DefaultIdle = TimeSpan.FromSeconds(60);

    /// <summary>For a <c>zfs send</c>, which sends nothing while it searches for changed blocks.</summary>
    public static readonly TimeSpan LiveIdle = TimeSpan.FromMinutes(15);

    private readonly IdleTimeoutStream _body = new(body, idle);

    public override bool CanRead => true;

    /// <exception cref="OperationException">The connection broke, or nothing arrived for too long
    /// (<see cref="ExitCode.Unreachable"/>).</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            return await _body.ReadAsync(buffer, cancellationToken);
        }
        catch (TimeoutException e)
        {
            throw Broken($"The server sent nothing of {what} for {idle.TotalSeconds:0} s.", e);
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            throw Broken($"The connection broke while {what} was read: {e.Message}", e);
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _body.Dispose();
            body.Dispose();
            response.Dispose();
        }

        base.Dispose(disposing);
    }

    private static OperationException Broken(string message, Exception e) =>
        new(ExitCode.Unreachable, message, "Run the command again.", e);
}
