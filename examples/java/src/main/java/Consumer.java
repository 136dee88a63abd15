import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import ppo.tracking.v1.NoticeOuterClass.Notice;
import ppo.tracking.v1.Tracking.NoticeState;

/** Prints what an organisation's notices ask for. Arguments: servers, topic, a file that remembers what was seen. */
public class Consumer {
  private static final Properties seen = new Properties();

  public static void main(String[] arguments) throws IOException {
    Path memory = Path.of(arguments[2]);
    if (Files.exists(memory)) seen.load(Files.newBufferedReader(memory));
    // The instance has a name, so that after a stop or a crash it takes its place in the group at once.
    Map<String, Object> settings = Map.of("bootstrap.servers", arguments[0], "group.id", arguments[1],
        "group.instance.id", "1", "auto.offset.reset", "earliest", "enable.auto.commit", "false");
    try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new ByteArrayDeserializer())) {
      consumer.subscribe(List.of(arguments[1]));
      while (true) {
        for (var record : consumer.poll(Duration.ofSeconds(1))) take(record, memory);
        consumer.commitSync();
      }
    }
  }

  private static void take(ConsumerRecord<String, byte[]> record, Path memory) throws IOException {
    if (!header(record, "ce_type").equals("ppo.tracking.v1.Notice")) return;
    long last = Long.parseLong(seen.getProperty(record.key(), "0"));
    long sequence = Long.parseLong(header(record, "ce_sequence"));
    if (sequence <= last) {
      System.out.println("repeat " + record.key() + " " + sequence);
      return;
    }
    if (sequence > last + 1) {
      System.out.println("gap " + record.key() + " from " + (last + 1) + " to " + (sequence - 1));
    }
    Notice notice = Notice.parseFrom(record.value());
    System.out.println(step(notice.getState()) + " " + header(record, "ce_id"));
    // A real recipient stores this in the transaction of what the notice causes.
    seen.setProperty(record.key(), Long.toString(sequence));
    Path whole = Path.of(memory + ".new");
    try (var writer = Files.newBufferedWriter(whole)) {
      seen.store(writer, null);
    }
    Files.move(whole, memory, StandardCopyOption.ATOMIC_MOVE);
  }

  /** A state of a later contract reads as UNRECOGNIZED: such a notice waits until somebody has asked. */
  private static String step(NoticeState state) {
    return switch (state) {
      case NOTICE_STATE_PROVISIONAL -> "prepare";
      case NOTICE_STATE_CONFIRMED -> "act";
      case NOTICE_STATE_RETRACTED -> "undo";
      case NOTICE_STATE_UNSPECIFIED, UNRECOGNIZED -> "hold";
    };
  }

  private static String header(ConsumerRecord<String, byte[]> record, String name) {
    var header = record.headers().lastHeader(name);
    return header == null ? "" : new String(header.value());
  }
}
