// Fills XForms at random in JavaRosa, the engine of ODK Collect, and says what it did and what came of it.
//
//   java -cp ODK_Validate.jar JavaRosa.java < plan
//
// plan, one form a line, parts by tabs: file, first seed, number of fills, whole numbers to answer with, texts to answer
// with, names of questions to leave alone (all by blanks). Written for each fill, parts by tabs:
//   FILL file seed today
//   ADD path of the new row
//   ASK path codes offered
//   SAY path value code of the answer (0 kept, 1 required but empty, 2 constraint violated)
//   END path relevant(0 or 1) value        every leaf of the instance
//   FAIL message                           the form cannot be loaded or filled

import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.javarosa.core.model.Constants;
import org.javarosa.core.model.FormDef;
import org.javarosa.core.model.SelectChoice;
import org.javarosa.core.model.data.DateData;
import org.javarosa.core.model.data.DecimalData;
import org.javarosa.core.model.data.GeoPointData;
import org.javarosa.core.model.data.IAnswerData;
import org.javarosa.core.model.data.IntegerData;
import org.javarosa.core.model.data.SelectMultiData;
import org.javarosa.core.model.data.SelectOneData;
import org.javarosa.core.model.data.StringData;
import org.javarosa.core.model.data.helper.Selection;
import org.javarosa.core.model.instance.InstanceInitializationFactory;
import org.javarosa.core.model.instance.TreeElement;
import org.javarosa.core.reference.ReferenceManager;
import org.javarosa.core.services.PropertyManager;
import org.javarosa.form.api.FormEntryController;
import org.javarosa.form.api.FormEntryModel;
import org.javarosa.form.api.FormEntryPrompt;
import org.javarosa.model.xform.XFormsModule;
import org.javarosa.xform.util.XFormUtils;
import org.opendatakit.validate.StubPropertyManager;
import org.opendatakit.validate.StubReferenceFactory;

public class JavaRosa {
    static final PrintStream OUT = new PrintStream(new java.io.FileOutputStream(java.io.FileDescriptor.out), false,
        java.nio.charset.StandardCharsets.UTF_8);
    static final int STEPS = 4000;
    static final int ROWS = 4;

    public static void main(String[] arguments) throws Exception {
        new XFormsModule().registerModule();
        PropertyManager.setPropertyManager(new StubPropertyManager());
        ReferenceManager.instance().addReferenceFactory(new StubReferenceFactory());
        BufferedReader plan = new BufferedReader(new InputStreamReader(System.in, java.nio.charset.StandardCharsets.UTF_8));
        for (String line; (line = plan.readLine()) != null; ) {
            String[] parts = line.split("\t", -1);
            long first = Long.parseLong(parts[1]);
            for (long seed = first; seed < first + Integer.parseInt(parts[2]); seed++) {
                say("FILL", parts[0], String.valueOf(seed), LocalDate.now().toString());
                try {
                    new JavaRosa(parts[0], new Random(seed), parts[3].split(" "), parts[4].split(" "),
                        java.util.Set.of(parts[5].split(" "))).fill();
                } catch (Throwable failed) {
                    say("FAIL", String.valueOf(failed));
                }
            }
        }
        OUT.flush();
    }

    static void say(String... parts) {
        for (int i = 0; i < parts.length; i++) {
            parts[i] = parts[i].replaceAll("[\\t\\n\\r]+", " ");
        }
        OUT.println(String.join("\t", parts));
    }

    final FormDef form;
    final FormEntryModel model;
    final FormEntryController controller;
    final Random random;
    final String[] numbers;
    final String[] texts;
    final java.util.Set<String> alone;

    JavaRosa(String file, Random random, String[] numbers, String[] texts, java.util.Set<String> alone) throws Exception {
        this.random = random;
        this.numbers = numbers;
        this.texts = texts;
        this.alone = alone;
        try (FileInputStream stream = new FileInputStream(file)) {
            form = XFormUtils.getFormFromInputStream(stream);
        }
        model = new FormEntryModel(form);
        controller = new FormEntryController(model);
        form.initialize(true, new InstanceInitializationFactory());
    }

    void fill() {
        int rows = 0;
        for (int step = 0; step < STEPS; step++) {
            int event = controller.stepToNextEvent();
            if (event == FormEntryController.EVENT_END_OF_FORM) {
                break;
            }
            if (event == FormEntryController.EVENT_PROMPT_NEW_REPEAT) {
                if (rows++ < 3 * ROWS && random.nextInt(ROWS) > 0) {
                    say("ADD", model.getFormIndex().getReference().toString(true));
                    controller.newRepeat();
                }
            } else if (event == FormEntryController.EVENT_QUESTION) {
                answer(model.getQuestionPrompt());
            }
        }
        ends(form.getInstance().getRoot(), true);
    }

    void answer(FormEntryPrompt prompt) {
        String path = prompt.getIndex().getReference().toString(true);
        List<SelectChoice> offered = prompt.getSelectChoices();
        if (offered != null) {
            List<String> codes = new ArrayList<>();
            for (SelectChoice choice : offered) {
                codes.add(choice.getValue());
            }
            say("ASK", path, String.join(" ", codes));
        } else {
            say("ASK", path, "");
        }
        if (prompt.isReadOnly() || alone.contains(prompt.getIndex().getReference().getNameLast())) {
            return;
        }
        for (int attempt = 0; attempt < 4; attempt++) {
            IAnswerData value = attempt == 3 || random.nextInt(8) == 0 ? null : value(prompt, offered);
            int kept = controller.answerQuestion(value, true);
            say("SAY", path, value == null ? "" : value.uncast().getString(), String.valueOf(kept));
            if (kept == FormEntryController.ANSWER_OK || value == null) {
                return;
            }
        }
    }

    IAnswerData value(FormEntryPrompt prompt, List<SelectChoice> offered) {
        switch (prompt.getControlType()) {
            case Constants.CONTROL_SELECT_ONE:
                return offered.isEmpty() ? null : new SelectOneData(new Selection(offered.get(random.nextInt(offered.size()))));
            case Constants.CONTROL_SELECT_MULTI:
            case Constants.CONTROL_RANK:
                boolean rank = prompt.getControlType() == Constants.CONTROL_RANK;
                List<Selection> chosen = new ArrayList<>();
                int most = 1 + random.nextInt(3);
                for (SelectChoice choice : offered) {
                    if (rank || (chosen.size() < most && random.nextInt(3) == 0)) {
                        chosen.add(new Selection(choice));
                    }
                }
                if (rank) {
                    Collections.shuffle(chosen, random);
                }
                return chosen.isEmpty() ? null : new SelectMultiData(chosen);
            case Constants.CONTROL_TRIGGER:
                return new StringData("OK");
            case Constants.CONTROL_INPUT:
            case Constants.CONTROL_RANGE:
                return typed(prompt.getDataType());
            default:
                return null;
        }
    }

    IAnswerData typed(int kind) {
        int number = Integer.parseInt(numbers[random.nextInt(numbers.length)]);
        switch (kind) {
            case Constants.DATATYPE_INTEGER:
                return new IntegerData(number);
            case Constants.DATATYPE_DECIMAL:
                return new DecimalData(number + random.nextInt(4) / 4.0);
            case Constants.DATATYPE_DATE:
                LocalDate day = LocalDate.now().minusDays(random.nextInt(3) == 0 ? random.nextInt(3) : random.nextInt(20000));
                return new DateData(java.sql.Date.valueOf(day));
            case Constants.DATATYPE_GEOPOINT:
                return new GeoPointData(new double[] {20.9, 106.3, 0, 5});
            case Constants.DATATYPE_TIME:
            case Constants.DATATYPE_DATE_TIME:
                return null;
            default:
                return new StringData(texts[random.nextInt(texts.length)]);
        }
    }

    /** Every leaf; what lies in something irrelevant is irrelevant too. */
    void ends(TreeElement element, boolean relevant) {
        boolean here = relevant && element.isRelevant();
        if (element.isLeaf() || !element.hasChildren()) {
            IAnswerData value = element.getValue();
            String said = value == null ? "" : value.uncast().getString();
            say("END", element.getRef().toString(true), here ? "1" : "0", said == null ? "" : said);
            return;
        }
        for (int i = 0; i < element.getNumChildren(); i++) {
            TreeElement child = element.getChildAt(i);
            if (child.getMult() >= 0) { // not the template of a repeat
                ends(child, here);
            }
        }
    }
}
